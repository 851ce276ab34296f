package sdktest

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/restante/restante/sdk"
)

// ReadSamples reads messages from a file with one JSON value a line (NDJSON).
// Empty lines are skipped.
func ReadSamples(t testing.TB, path string) []json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read samples: %v", err)
	}
	var samples []json.RawMessage
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if !json.Valid(line) {
			t.Fatalf("read samples: %s:%d: not a JSON value", path, i+1)
		}
		samples = append(samples, line)
	}
	return samples
}

// Batch makes a batch of a group: the messages are numbered from 1, and
// accepted one minute apart from 2026-01-02 03:04:05 UTC on. It is always the
// same for the same messages.
func Batch(group string, data ...json.RawMessage) sdk.Batch {
	b := sdk.Batch{Group: group, Token: "sdktest-token", Messages: make([]sdk.Message, len(data))}
	first := time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)
	for i, d := range data {
		b.Messages[i] = sdk.Message{
			ID:   uint64(i) + 1,
			Time: first.Add(time.Duration(i) * time.Minute),
			Data: d,
		}
	}
	return b
}

// filled returns the samples over and over, up to count messages or size bytes
// in all, whichever comes first.
func filled(samples []json.RawMessage, count, size int) []json.RawMessage {
	var data []json.RawMessage
	for total := 0; total < size && len(data) < count; {
		next := samples[len(data)%len(samples)]
		data = append(data, next)
		total += len(next)
	}
	return data
}
