package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/restante/restante/sdk"
)

func main() { sdk.Serve(plugin()) }

func plugin() sdk.Plugin {
	return sdk.Plugin{Name: "cloudevents", Version: "1.0.0", Groups: []sdk.Group{{
		Name:          "cloudevents",
		Method:        sdk.Poll,
		Title:         "CloudEvents",
		Description:   "Messages as a batch of CloudEvents 1.0 in JSON. Any JSON value can be added.",
		WriteMessages: write,
	}}}
}

const (
	contentType = "application/cloudevents-batch+json"
	eventType   = "org.restante.message"
)

func write(_ context.Context, b sdk.Batch) (sdk.Document, error) {
	source := "/restante/groups/" + url.PathEscape(b.Group)

	var body bytes.Buffer
	var rejected []error
	body.WriteByte('[')
	for i, m := range b.Messages {
		if !json.Valid(m.Data) {
			rejected = append(rejected, sdk.Reject(m.ID, "the data is not valid JSON"))
			continue
		}
		if i > 0 {
			body.WriteByte(',')
		}
		body.WriteString("\n")
		writeEvent(&body, source, m)
	}
	if len(rejected) > 0 {
		return sdk.Document{}, errors.Join(rejected...)
	}
	if len(b.Messages) > 0 {
		body.WriteByte('\n')
	}
	body.WriteString("]\n")

	return sdk.Document{ContentType: contentType, Filename: "cloudevents.json", Body: body.Bytes()}, nil
}

// writeEvent writes an event by hand: encoding/json would compact the data. The
// attributes need no escapes, since a source is percent-encoded and the others
// are made of digits and the like.
func writeEvent(body *bytes.Buffer, source string, m sdk.Message) {
	body.WriteString(`{"specversion":"1.0","id":"`)
	body.WriteString(strconv.FormatUint(m.ID, 10))
	body.WriteString(`","source":"`)
	body.WriteString(source)
	body.WriteString(`","type":"` + eventType + `","time":"`)
	body.WriteString(m.Time.UTC().Format(time.RFC3339Nano))
	body.WriteString(`","datacontenttype":"application/json","data":`)
	body.Write(m.Data)
	body.WriteByte('}')
}
