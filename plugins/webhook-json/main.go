package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/restante/restante/sdk"
)

func main() { sdk.Serve(plugin()) }

func plugin() sdk.Plugin {
	return sdk.Plugin{Name: "webhook-json", Version: "1.0.0", Groups: []sdk.Group{{
		Name:              "webhook",
		Method:            sdk.Send,
		Title:             "Webhook",
		Description:       "Messages as JSON, sent to a URL every minute. Any JSON value can be added.",
		Schedule:          "@every 1m",
		WriteMessages:     write,
		FormatHTTPRequest: request,
	}}}
}

func write(_ context.Context, b sdk.Batch) (sdk.Document, error) {
	token, err := json.Marshal(b.Token)
	if err != nil {
		return sdk.Document{}, err
	}
	var body bytes.Buffer
	var rejected []error
	body.WriteString("{\"token\":")
	body.Write(token)
	body.WriteString(",\"messages\":[")
	for i, m := range b.Messages {
		if !json.Valid(m.Data) {
			rejected = append(rejected, sdk.Reject(m.ID, "the data is not valid JSON"))
			continue
		}
		if i > 0 {
			body.WriteByte(',')
		}
		writeMessage(&body, m)
	}
	if len(rejected) > 0 {
		return sdk.Document{}, errors.Join(rejected...)
	}
	if len(b.Messages) > 0 {
		body.WriteByte('\n')
	}
	body.WriteString("]}\n")
	return sdk.Document{ContentType: "application/json", Filename: "webhook.json", Body: body.Bytes()}, nil
}

// writeMessage writes a message by hand: encoding/json would compact the data.
func writeMessage(body *bytes.Buffer, m sdk.Message) {
	body.WriteString("\n{\"id\":")
	body.WriteString(strconv.FormatUint(m.ID, 10))
	body.WriteString(`,"time":"`)
	body.WriteString(m.Time.UTC().Format(time.RFC3339Nano))
	body.WriteString(`","data":`)
	body.Write(m.Data)
	body.WriteByte('}')
}

// request has the document sent to the URL of the operator's configuration, with
// headers that say what is in it.
func request(_ context.Context, o sdk.Outgoing) (sdk.HTTPRequest, error) {
	header := http.Header{"Batch-Count": {strconv.Itoa(len(o.Messages))}}
	if n := len(o.Messages); n > 0 {
		header.Set("Batch-First", strconv.FormatUint(o.Messages[0].ID, 10))
		header.Set("Batch-Last", strconv.FormatUint(o.Messages[n-1].ID, 10))
	}
	return sdk.HTTPRequest{Headers: header}, nil
}
