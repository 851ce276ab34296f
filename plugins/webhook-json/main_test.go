package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

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
		json.RawMessage(`-1e400`),
	)
	sdktest.Run(t, plugin(), sdktest.Options{
		Samples: map[string][]json.RawMessage{"webhook": samples},
		Golden:  "testdata",
		Check:   readBack,
	})
}

// readBack sees that the document has every message byte for byte.
func readBack(t *testing.T, b sdk.Batch, d sdk.Document) {
	t.Helper()
	var got struct {
		Token    string
		Messages []struct {
			ID   uint64
			Time time.Time
			Data json.RawMessage
		}
	}
	if err := json.Unmarshal(d.Body, &got); err != nil {
		t.Fatalf("read the document back: %v", err)
	}
	if got.Token != b.Token || got.Messages == nil || len(got.Messages) != len(b.Messages) {
		t.Fatalf("token %q and %d messages, want %q and %d", got.Token, len(got.Messages), b.Token, len(b.Messages))
	}
	for i, m := range got.Messages {
		if want := b.Messages[i]; m.ID != want.ID || !m.Time.Equal(want.Time) || !bytes.Equal(m.Data, want.Data) {
			t.Errorf("message %d: %v %s, want %d: %v %s", m.ID, m.Time, m.Data, want.ID, want.Time, want.Data)
		}
	}
}

func TestRequest(t *testing.T) {
	c := sdktest.Start(t, plugin())
	for name, test := range map[string]struct {
		messages []json.RawMessage
		want     http.Header
	}{
		"empty": {nil, http.Header{"Batch-Count": {"0"}}},
		"two": {[]json.RawMessage{json.RawMessage(`1`), json.RawMessage(`2`)},
			http.Header{"Batch-Count": {"2"}, "Batch-First": {"1"}, "Batch-Last": {"2"}}},
	} {
		r, err := c.FormatHTTPRequest(t.Context(), sdk.Outgoing{Batch: sdktest.Batch("webhook", test.messages...)})
		if err != nil || r.Method != "" || r.URL != "" || !reflect.DeepEqual(r.Headers, test.want) {
			t.Errorf("%s: FormatHTTPRequest = %+v, %v, want the headers %v", name, r, err, test.want)
		}
	}
}

func TestDataIsNotJSON(t *testing.T) {
	c := sdktest.Start(t, plugin())
	_, err := c.WriteMessages(t.Context(), sdktest.Batch("webhook", json.RawMessage(`{}`), json.RawMessage(`{"a":`)))
	if got := sdk.Rejections(err); len(got) != 1 || got[0].ID != 2 {
		t.Errorf("rejections = %v, want message 2", got)
	}
}
