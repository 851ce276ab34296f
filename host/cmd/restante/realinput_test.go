package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
)

var payloads = flag.String("payloads", "", "the index.json of @octokit/webhooks-examples; a sample of it if empty")

// realPayloads returns real webhooks, each on one line with its own number
// text.
func realPayloads(t *testing.T) (all [][]byte) {
	t.Helper()
	path := *payloads
	if path == "" {
		path = filepath.Join("..", "..", "..", "examples", "messages", "github-webhooks.ndjson")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if *payloads == "" {
		for line := range bytes.Lines(text) {
			all = append(all, bytes.TrimSpace(line))
		}
		return all
	}
	var events []struct{ Examples []json.RawMessage }
	if err := json.Unmarshal(text, &events); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		for _, example := range e.Examples {
			all = append(all, compact(t, example))
		}
	}
	return all
}

func compact(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRealInput sends real webhooks through add, fetch and mark until nothing
// is unread, in the default format and as CloudEvents, and proves that every
// payload came out exactly once, in order and equal to what went in.
func TestRealInput(t *testing.T) {
	all := realPayloads(t)
	d := newDaemon(t, "cloudevents")
	d.start()
	key := d.key("plain,cloudevents", "poll,add")
	for group, read := range map[string]func(*testing.T, []byte) [][]byte{
		"plain":       readDefault,
		"cloudevents": readCloudEvents,
	} {
		t.Run(group, func(t *testing.T) {
			for i, payload := range all {
				r, err := d.call(t.Context(), "POST", "add/"+group, key, "application/json", bytes.NewReader(payload))
				if err != nil || r.status != http.StatusCreated {
					t.Fatalf("add of payload %d answers %d: %s, %v", i+1, r.status, r.body, err)
				}
			}
			var got [][]byte
			batches := 0
			for {
				r, err := d.fetch(t.Context(), key, group)
				if err != nil || r.status != http.StatusOK {
					t.Fatalf("fetch answers %d: %.200s, %v", r.status, r.body, err)
				}
				batch := read(t, r.body)
				got = append(got, batch...)
				m, err := d.mark(t.Context(), key, group, r.header.Get("Restante-Token"))
				if err != nil || int(m.Marked) != len(batch) || int(m.Unread) != len(all)-len(got) {
					t.Fatalf("mark of %d messages = %+v, %v with %d of %d out", len(batch), m, err, len(got), len(all))
				}
				batches++
				if m.Unread == 0 {
					break
				}
			}
			if len(got) != len(all) {
				t.Fatalf("%d payloads came out, %d went in", len(got), len(all))
			}
			for i := range all {
				if !bytes.Equal(got[i], all[i]) {
					t.Errorf("payload %d came out as %.100s, went in as %.100s", i+1, got[i], all[i])
				}
			}
			t.Logf("%d payloads through add, fetch and mark in %d batches: each came out once, in order, byte for byte", len(all), batches)
		})
	}
}

// readDefault returns the messages of a document in the default format as they
// went in: without the time that was put in front, and without the id unless it
// is the payload's own, which is larger than any of ours.
func readDefault(t *testing.T, body []byte) (all [][]byte) {
	t.Helper()
	var doc struct{ Messages []json.RawMessage }
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	for _, m := range doc.Messages {
		parts := regexp.MustCompile(`^\{("id":(\d+),)"datetime":"[^"]+",(.*)$`).FindSubmatch(compact(t, m))
		if parts == nil {
			t.Fatalf("a message is %.100s, want it to begin with an id and a datetime", m)
		}
		if len(parts[2]) < 6 {
			parts[1] = nil
		}
		all = append(all, append(append([]byte("{"), parts[1]...), parts[3]...))
	}
	return all
}

func readCloudEvents(t *testing.T, body []byte) (all [][]byte) {
	t.Helper()
	var events []event.Event
	if err := json.Unmarshal(body, &events); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := e.Validate(); err != nil {
			t.Errorf("event %s: %v", e.ID(), err)
		}
		all = append(all, compact(t, e.Data()))
	}
	return all
}
