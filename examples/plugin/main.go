// A complete formatter plugin: it writes each message of the group "lines" as
// one line of text, "ID TIME DATA". Build it, and copy it into the daemon's
// plugin folder:
//
//	go build -o lines ./examples/plugin
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/restante/restante/sdk"
)

func main() {
	sdk.Serve(sdk.Plugin{Name: "lines", Version: "1.0.0", Groups: []sdk.Group{{
		Name: "lines", Method: sdk.Poll, Title: "Lines of text",
		Description:   "Each message on a line of its own, with its number and time.",
		WriteMessages: lines,
	}}})
}

// lines uses nothing but the batch, so the same batch always gives the same
// document.
func lines(_ context.Context, b sdk.Batch) (sdk.Document, error) {
	var body bytes.Buffer
	for _, m := range b.Messages {
		fmt.Fprintf(&body, "%d %s ", m.ID, m.Time.Format(time.RFC3339))
		// Compact takes the line breaks out of the JSON and leaves the rest.
		if err := json.Compact(&body, m.Data); err != nil {
			return sdk.Document{}, sdk.Reject(m.ID, err.Error()) // names the message at fault
		}
		body.WriteByte('\n')
	}
	return sdk.Document{ContentType: "text/plain; charset=utf-8", Filename: "lines.txt", Body: body.Bytes()}, nil
}
