// Command picky is a plugin for tests. Its version 1 fails over messages that say
// how, and its version 3 writes other documents.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/restante/restante/sdk"
)

var version = "1"

func main() {
	sdk.Serve(sdk.Plugin{Name: "picky", Version: version, Groups: []sdk.Group{{
		Name: "picky", Method: sdk.Poll, Title: "Picky", WriteMessages: write,
	}}})
}

func write(ctx context.Context, b sdk.Batch) (sdk.Document, error) {
	var body bytes.Buffer
	for _, m := range b.Messages {
		var data struct{ Do string }
		_ = json.Unmarshal(m.Data, &data) // what is no object says nothing
		if version == "1" {
			switch data.Do {
			case "panic":
				go panic("I don't like it") // elsewhere, or the SDK would catch it
				<-ctx.Done()
			case "error":
				return sdk.Document{}, errors.New("I don't want to")
			case "reject":
				return sdk.Document{}, sdk.Reject(m.ID, "I can't")
			}
		}
		if version == "3" {
			body.WriteString("message ")
		}
		fmt.Fprintf(&body, "%d\n", m.ID)
	}
	return sdk.Document{ContentType: "text/plain", Filename: "picky.txt", Body: body.Bytes()}, nil
}
