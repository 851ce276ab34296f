package sdk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/restante/restante/sdk"
)

// A whole plugin: what is in main is all that there is to do.
func ExampleServe() {
	// func main() {
	sdk.Serve(sdk.Plugin{Name: "student-records", Version: "1.0.0", Groups: []sdk.Group{{
		Name: "student", Method: sdk.Poll, Title: "Student Records System", Description: "Names of students, one a line.",
		WriteMessages: func(ctx context.Context, b sdk.Batch) (sdk.Document, error) {
			var body bytes.Buffer
			for _, m := range b.Messages {
				var student struct{ Name string }
				if err := json.Unmarshal(m.Data, &student); err != nil {
					return sdk.Document{}, sdk.Reject(m.ID, err.Error())
				}
				fmt.Fprintln(&body, student.Name)
			}
			return sdk.Document{ContentType: "text/plain; charset=utf-8", Filename: "students.txt", Body: body.Bytes()}, nil
		},
	}}})
	// }
}

// A formatter looks at the whole batch and rejects everything that is wrong.
func ExampleReject() {
	batch := sdk.Batch{Messages: []sdk.Message{
		{ID: 7, Data: json.RawMessage(`{"name":"Ek"}`)},
		{ID: 8, Data: json.RawMessage(`{}`)},
		{ID: 9, Data: json.RawMessage(`[]`)},
	}}

	var rejected []error
	for _, m := range batch.Messages {
		var student struct{ Name string }
		if err := json.Unmarshal(m.Data, &student); err != nil {
			rejected = append(rejected, sdk.Reject(m.ID, "not an object"))
		} else if student.Name == "" {
			rejected = append(rejected, sdk.Reject(m.ID, "name is missing"))
		}
	}
	fmt.Println(errors.Join(rejected...))
	// Output:
	// message 8: name is missing
	// message 9: not an object
}
