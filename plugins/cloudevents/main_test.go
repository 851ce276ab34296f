package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.uber.org/goleak"

	"github.com/restante/restante/sdk"
	"github.com/restante/restante/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPlugin(t *testing.T) {
	samples := append(sdktest.ReadSamples(t, "../../examples/messages/student.ndjson"),
		json.RawMessage(`{ "order" : 1.10,  "b":1, "a": 12345678901234567890.0000000001 }`),
		json.RawMessage(`"text"`),
		json.RawMessage(`[1, 2.50, null]`),
		json.RawMessage(`null`),
		json.RawMessage(`-1e400`),
	)
	sdktest.Run(t, plugin(), sdktest.Options{
		Samples: map[string][]json.RawMessage{"cloudevents": samples},
		Golden:  "testdata",
		Check:   readBack,
	})
}

// readBack reads the document with the CloudEvents project's own library.
func readBack(t *testing.T, b sdk.Batch, d sdk.Document) {
	t.Helper()
	if d.ContentType != event.ApplicationCloudEventsBatchJSON {
		t.Errorf("content type %q, want %q", d.ContentType, event.ApplicationCloudEventsBatchJSON)
	}
	var events []event.Event
	if err := json.Unmarshal(d.Body, &events); err != nil {
		t.Fatalf("read the events back: %v", err)
	}
	if len(events) != len(b.Messages) {
		t.Fatalf("%d events for %d messages", len(events), len(b.Messages))
	}
	for i, e := range events {
		m := b.Messages[i]
		if err := e.Validate(); err != nil {
			t.Errorf("event %d is not valid: %v", m.ID, err)
		}
		if want := strconv.FormatUint(m.ID, 10); e.ID() != want {
			t.Errorf("id = %q, want %q", e.ID(), want)
		}
		if e.Source() != "/restante/groups/cloudevents" || e.Type() != "org.restante.message" ||
			e.DataContentType() != "application/json" {
			t.Errorf("event %d: source %q, type %q, datacontenttype %q", m.ID, e.Source(), e.Type(), e.DataContentType())
		}
		if !e.Time().Equal(m.Time) {
			t.Errorf("event %d: time = %v, want %v", m.ID, e.Time(), m.Time)
		}
		if !bytes.Equal(e.Data(), m.Data) {
			t.Errorf("event %d: data = %s, want %s", m.ID, e.Data(), m.Data)
		}
	}
}

func TestDataIsNotJSON(t *testing.T) {
	c := sdktest.Start(t, plugin())
	_, err := c.WriteMessages(t.Context(), sdktest.Batch("cloudevents",
		json.RawMessage(`{}`), json.RawMessage(`{"a":`), json.RawMessage(``)))
	got := sdk.Rejections(err)
	if len(got) != 2 || got[0].ID != 2 || got[1].ID != 3 {
		t.Errorf("rejections = %v, want messages 2 and 3", got)
	}
}

func TestTimeKeepsItsFraction(t *testing.T) {
	c := sdktest.Start(t, plugin())
	b := sdktest.Batch("cloudevents", json.RawMessage(`1`))
	b.Messages[0].Time = time.Date(2026, 1, 2, 3, 4, 5, 67_000_000, time.UTC)
	d, err := c.WriteMessages(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte(`"time":"2026-01-02T03:04:05.067Z"`); !bytes.Contains(d.Body, want) {
		t.Errorf("document %s does not contain %s", d.Body, want)
	}
}
