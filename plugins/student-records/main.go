package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/sdk"
)

func main() { sdk.Serve(plugin()) }

func plugin() sdk.Plugin {
	return sdk.Plugin{Name: "student-records", Version: "1.0.0", Groups: []sdk.Group{{
		Name:   "student",
		Method: sdk.Poll,
		Title:  "Student Records System",
		Description: "Students who are enrolled, changed or withdrawn, as XML for the student records system. " +
			"A message carries an action (create, update or withdraw) and the student's whole record.",
		WriteMessages: write,
	}}}
}

const contentType = "application/xml; charset=utf-8"

func write(_ context.Context, b sdk.Batch) (sdk.Document, error) {
	if !isXMLText(b.Token) {
		return sdk.Document{}, fmt.Errorf("the token %q can't be written in XML", b.Token)
	}
	records := studentRecords{Namespace: namespace, Version: "1.0", Token: b.Token}
	var rejected []error
	for _, m := range b.Messages {
		change, faults := parseChange(m.Data)
		if faults != nil {
			rejected = append(rejected, sdk.Reject(m.ID, faults.Error()))
			continue
		}
		records.Records = append(records.Records, record{
			ID:     m.ID,
			Time:   m.Time.UTC().Format(time.RFC3339Nano),
			change: change,
		})
	}
	if len(rejected) > 0 {
		return sdk.Document{}, errors.Join(rejected...)
	}

	var body bytes.Buffer
	body.WriteString(xml.Header)
	enc := xml.NewEncoder(&body)
	enc.Indent("", "  ")
	if err := enc.Encode(records); err != nil {
		return sdk.Document{}, fmt.Errorf("write XML: %w", err)
	}
	body.WriteByte('\n')
	return sdk.Document{ContentType: contentType, Filename: "student-records.xml", Body: body.Bytes()}, nil
}
