package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// storedActivity is the record of a group.
type storedActivity struct {
	Activity
	// Writers are the daemons that have written it, the last one last, so that one
	// whose answer was lost finds out whether what it counted is in it.
	Writers []activityWriter `json:"writers,omitempty"`
}

// activityWriter is one run of a daemon, and how often it has written.
type activityWriter struct {
	ID     string `json:"id"`
	Writes uint64 `json:"writes"`
}

// maxActivityWriters is how many are remembered: more daemons than write one group
// between two writes of one of them.
const maxActivityWriters = 16

func (s *storedActivity) writes(id string) uint64 {
	for _, w := range s.Writers {
		if w.ID == id {
			return w.Writes
		}
	}
	return 0
}

// next returns what a writer is to write after s.
func (s *storedActivity) next(id string, a Activity) *storedActivity {
	if id == "" {
		return &storedActivity{Activity: a.clone()}
	}
	mine := activityWriter{ID: id, Writes: s.writes(id) + 1}
	others := slices.DeleteFunc(slices.Clone(s.Writers), func(w activityWriter) bool { return w.ID == id })
	others = others[max(0, len(others)+1-maxActivityWriters):]
	return &storedActivity{Activity: a.clone(), Writers: append(others, mine)}
}

// read adds what is in the store to what was seen here since.
func (a *Activities) read(ctx context.Context) error {
	all, err := a.records.Records(ctx, activityBucket)
	if err != nil {
		return fmt.Errorf("read the activity of the queues: %w", err)
	}
	for _, record := range all {
		if err := a.take(record); err != nil {
			return err
		}
	}
	return nil
}

// take adds what a record says to what was seen here since the last one.
func (a *Activities) take(record Record) error {
	var stored storedActivity
	if err := json.Unmarshal(record.Value, &stored); err != nil {
		return fmt.Errorf("%w: the activity of queue %q: %w", ErrDamaged, record.Key, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.group(GroupName(record.Key))
	if w.revision == record.Revision {
		return nil
	}
	if u := w.uncertain; u != nil && u.writes(a.writer) == stored.writes(a.writer) {
		w.stored = *u // it was written, and is not counted again
	}
	w.Activity = w.merged(stored.Activity)
	w.stored, w.revision, w.uncertain = stored, record.Revision, nil
	return nil
}

// Flush writes what has happened and, if the store is shared, reads what other
// daemons have seen. Call it now and then, and before the store is closed: what is
// not written is not known after a restart.
func (a *Activities) Flush(ctx context.Context) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	var errs []error
	if a.shared {
		errs = append(errs, a.read(ctx))
	}
	a.mu.Lock()
	var changed []GroupName
	for g, w := range a.groups {
		if w.changed {
			changed = append(changed, g)
		}
	}
	a.mu.Unlock()
	slices.Sort(changed)
	for _, g := range changed {
		if err := a.write(ctx, g); err != nil {
			errs = append(errs, fmt.Errorf("write the activity of %q: %w", g, err))
		}
	}
	return errors.Join(errs...)
}

// write writes what is known of a group, together with what another daemon has
// written meanwhile; a.writing is held.
func (a *Activities) write(ctx context.Context, g GroupName) error {
	for {
		a.mu.Lock()
		w := a.group(g)
		// What may be on its way is written again as it was: were it another, nobody
		// could tell later which of the two is in the store.
		again := a.shared && w.uncertain != nil
		if !again {
			w.uncertain, w.changed = w.stored.next(a.writer, w.Activity), false
		}
		written := *w.uncertain
		record := Record{Key: string(g), Revision: w.revision}
		a.mu.Unlock()
		record.Value, _ = json.Marshal(written) // always marshals
		revision, err := a.records.PutRecord(ctx, activityBucket, record)
		a.mu.Lock()
		if err == nil {
			w.stored, w.revision, w.uncertain = written, revision, nil
		} else {
			w.changed = true // it is written now, or the next time
		}
		more := again && w.changed
		a.mu.Unlock()
		switch {
		case err == nil && !more:
			return nil
		case err == nil:
			continue
		case !errors.Is(err, ErrConflict):
			return err
		}
		if record, err = a.records.Record(ctx, activityBucket, string(g)); err == nil {
			err = a.take(record)
		}
		if err != nil {
			return err
		}
	}
}
