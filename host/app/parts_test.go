package app

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
)

// silentStore takes no records.
type silentStore struct{ host.Store }

func (silentStore) PutRecord(context.Context, string, host.Record) (uint64, error) {
	return 0, context.DeadlineExceeded
}

// TestCloseWithoutAnswers ends while nobody writes what was counted.
func TestCloseWithoutAnswers(t *testing.T) {
	var out bytes.Buffer
	p, err := openParts(t.Context(), Config{Data: filepath.Join(t.TempDir(), "data")}, hclog.New(&hclog.LoggerOptions{Output: &out}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.activities, err = host.OpenActivities(t.Context(), silentStore{p.store}, time.Now); err != nil {
		t.Fatal(err)
	}
	p.activities.Added("g", 1)
	if err := p.close(t.Context()); err != nil {
		t.Errorf("close = %v", err)
	}
	if !strings.Contains(out.String(), "what was counted within the last minute is not written") {
		t.Errorf("the log has %s", &out)
	}
}
