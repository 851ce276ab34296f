package formatter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/restante/restante/host"
)

// keptVersions is how many versions of a plugin file are remembered, and their
// copies kept, so that a bad one can be rolled back.
const keptVersions = 5

// maxVersions bounds what is remembered with all quarantined versions.
const maxVersions = 50

const historyBucket = "plugins"

// history is what is remembered of a plugin file over restarts: which contents
// it had, which of them was active last, and which must not run.
type history struct {
	// Active is the digest that was active last; "" if none was.
	Active string `json:"active,omitempty"`
	// Versions are newest first.
	Versions []host.PluginVersion `json:"versions"`

	records  host.Records
	file     string
	revision uint64
	dropped  []string // digests that were forgotten, whose copies can go
}

// openHistory reads what is remembered of a file.
func openHistory(ctx context.Context, records host.Records, file string) (*history, error) {
	h := &history{records: records, file: file}
	record, err := records.Record(ctx, historyBucket, file)
	switch {
	case errors.Is(err, host.ErrNoRecord):
		return h, nil
	case err != nil:
		return h, fmt.Errorf("read the history of plugin file %q: %w", file, err)
	}
	h.revision = record.Revision
	if err := json.Unmarshal(record.Value, h); err != nil {
		return h, fmt.Errorf("the history of plugin file %q is malformed: %w", file, err)
	}
	return h, nil
}

// save writes the history. What is remembered helps, but a plugin can be served
// while the store takes no writes.
func (h *history) save(ctx context.Context) error {
	value, err := json.Marshal(h)
	if err != nil {
		return err
	}
	revision, err := h.records.PutRecord(ctx, historyBucket, host.Record{Key: h.file, Value: value, Revision: h.revision})
	if errors.Is(err, host.ErrConflict) {
		// A file of this name that left a moment ago wrote last. This one
		// knows more.
		var last host.Record
		if last, err = h.records.Record(ctx, historyBucket, h.file); errors.Is(err, host.ErrNoRecord) {
			last, err = host.Record{}, nil
		}
		if err == nil {
			revision, err = h.records.PutRecord(ctx, historyBucket, host.Record{Key: h.file, Value: value, Revision: last.Revision})
		}
	}
	if err != nil {
		return fmt.Errorf("write the history of plugin file %q: %w", h.file, err)
	}
	h.revision = revision
	return nil
}

// find returns what is remembered of a digest, or nil.
func (h *history) find(digest string) *host.PluginVersion {
	i := slices.IndexFunc(h.Versions, func(v host.PluginVersion) bool { return v.Digest == digest })
	if i < 0 {
		return nil
	}
	return &h.Versions[i]
}

// seen remembers a content of the file and returns its entry.
func (h *history) seen(digest string, now time.Time) *host.PluginVersion {
	if known := h.find(digest); known != nil {
		return known
	}
	h.Versions = slices.Insert(h.Versions, 0, host.PluginVersion{Digest: digest, Seen: now.UTC().Truncate(time.Second)})
	h.prune()
	return h.find(digest)
}

// prune forgets versions over the limit: those that never served first, then the
// oldest. What serves, what is quarantined and what one could go back to stay.
func (h *history) prune() {
	spare := ""
	if before := h.before(h.Active); before != nil {
		spare = before.Digest
	}
	for _, neverServed := range []bool{true, false} {
		for i := len(h.Versions) - 1; i > 0 && len(h.Versions) > keptVersions; i-- {
			v := h.Versions[i]
			if v.Digest == h.Active || v.Digest == spare || v.Quarantined != "" || neverServed != v.Served.IsZero() {
				continue
			}
			h.dropped = append(h.dropped, v.Digest)
			h.Versions = slices.Delete(h.Versions, i, i+1)
		}
	}
	// Even quarantines come to an end.
	for _, v := range h.Versions[min(len(h.Versions), maxVersions):] {
		h.dropped = append(h.dropped, v.Digest)
	}
	h.Versions = h.Versions[:min(len(h.Versions), maxVersions)]
}

// before returns the newest version that was active once, is not the given one
// and may run, or nil.
func (h *history) before(digest string) *host.PluginVersion {
	var best *host.PluginVersion
	for i, v := range h.Versions {
		if v.Digest != digest && v.Quarantined == "" && !v.Served.IsZero() && (best == nil || v.Served.After(best.Served)) {
			best = &h.Versions[i]
		}
	}
	return best
}
