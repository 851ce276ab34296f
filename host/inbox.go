package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Inbox keeps what is wrong until a person has seen it or it is over: the error
// inbox. What is wrong with the same thing in the same way is one report that
// counts, so the inbox stays short however often it happens. It is safe for
// concurrent use, and keeps nothing in memory that another daemon on the same
// store would have to know.
type Inbox struct {
	store interface {
		Records
		Journals
	}
	now func() time.Time

	mu      sync.Mutex
	pending map[string]*ErrorReport // by subject: counted, and not written yet
}

const (
	inboxBucket  = "errors"
	inboxJournal = "errors"
	// inboxPause is how long a report that comes again and again is only counted
	// in memory.
	inboxPause = time.Minute
	// inboxTries is how often a change is tried again after somebody else's.
	inboxTries = 5
)

// NewInbox returns the inbox of a store.
func NewInbox(store Store, now func() time.Time) *Inbox {
	return &Inbox{store: store, now: now, pending: map[string]*ErrorReport{}}
}

// Raise reports what is wrong. ID, times and all that people decide are the
// inbox's to fill in. What is raised again shortly after is only counted: see
// Flush.
func (i *Inbox) Raise(ctx context.Context, r ErrorReport) error {
	now := i.now().UTC()
	r.Times, r.First, r.Last = max(r.Times, 1), now, now
	r.Title, r.Details = limited(r.Title, maxReportTitle), limited(r.Details, maxReportDetails)
	subject := r.subject()
	i.mu.Lock()
	if p := i.pending[subject]; p != nil && now.Sub(p.First) < inboxPause && p.Title == r.Title {
		p.merge(r)
		i.mu.Unlock()
		return nil
	}
	i.mu.Unlock()
	return i.raise(ctx, subject, r)
}

// raise writes a report and what was counted of the same subject, and has what
// comes after it counted.
func (i *Inbox) raise(ctx context.Context, subject string, r ErrorReport) error {
	i.mu.Lock()
	if p := i.pending[subject]; p != nil && p.Times > 0 {
		counted := *p
		counted.merge(r)
		r = counted
	}
	i.pending[subject] = &ErrorReport{Kind: r.Kind, Group: r.Group, Plugin: r.Plugin, Title: r.Title, Lasting: r.Lasting, First: i.now().UTC()}
	i.mu.Unlock()
	return i.change(ctx, subject, func(known *ErrorReport) *ErrorReport {
		if known == nil {
			known = &ErrorReport{ID: strings.ToLower(rand.Text()[:10]), Kind: r.Kind, Group: r.Group, Plugin: r.Plugin}
		}
		known.merge(r)
		return known
	})
}

// Flush writes what was only counted. Call it now and then, and before the store
// is closed.
func (i *Inbox) Flush(ctx context.Context) error {
	i.mu.Lock()
	all := map[string]ErrorReport{}
	for subject, p := range i.pending {
		if p.Times > 0 {
			all[subject] = *p
		}
		delete(i.pending, subject)
	}
	i.mu.Unlock()
	var errs []error
	for subject, r := range all {
		errs = append(errs, i.change(ctx, subject, func(known *ErrorReport) *ErrorReport {
			if known != nil {
				known.merge(r)
			}
			return known // what has ended since is told
		}))
	}
	return errors.Join(errs...)
}

// End says that what lasted is over, if it was reported at all.
func (i *Inbox) End(ctx context.Context, kind ErrorKind, g GroupName, plugin string) error {
	subject := ErrorReport{Kind: kind, Group: g, Plugin: plugin}.subject()
	i.mu.Lock()
	delete(i.pending, subject)
	i.mu.Unlock()
	return i.change(ctx, subject, func(known *ErrorReport) *ErrorReport {
		if known != nil && known.Ended.IsZero() {
			known.Ended = i.now().UTC()
		}
		return known
	})
}

// Acknowledge notes who has seen a report. One that lasts stays, and counts
// silently, until it is over; others are done with. Acknowledging it again
// changes nothing. It fails with ErrNoRecord.
func (i *Inbox) Acknowledge(ctx context.Context, id, by string) (ErrorReport, error) {
	found, subject, err := i.find(ctx, id)
	if err != nil || subject == "" || !found.Acknowledged.IsZero() {
		return found, err
	}
	err = i.change(ctx, subject, func(known *ErrorReport) *ErrorReport {
		if known != nil && known.ID == id && known.Acknowledged.IsZero() {
			known.Acknowledged, known.AcknowledgedBy = i.now().UTC(), by
			found = *known
		}
		return known
	})
	return found, err
}

// Reopen has a report count as not seen. It fails with ErrNoRecord, and with
// ErrConflict if the same is wrong again since and has a report of its own.
func (i *Inbox) Reopen(ctx context.Context, id string) (ErrorReport, error) {
	found, subject, err := i.find(ctx, id)
	if err != nil {
		return ErrorReport{}, err
	}
	found.Acknowledged, found.AcknowledgedBy = time.Time{}, ""
	found.Reopened = true
	if subject == "" {
		subject = found.subject()
	}
	taken := false
	err = i.change(ctx, subject, func(known *ErrorReport) *ErrorReport {
		if taken = known != nil && known.ID != id; taken {
			return known
		}
		return &found
	})
	if err == nil && taken {
		err = fmt.Errorf("error %s can't be reopened: there is a newer one of its kind: %w", id, ErrConflict)
	}
	return found, err
}

// change changes the report of a subject, nil if there is none. What is done with
// goes to the journal.
func (i *Inbox) change(ctx context.Context, subject string, change func(*ErrorReport) *ErrorReport) error {
	for try := 0; ; try++ {
		record, err := i.store.Record(ctx, inboxBucket, subject)
		var known *ErrorReport
		switch {
		case errors.Is(err, ErrNoRecord):
			record = Record{Key: subject}
		case err != nil:
			return fmt.Errorf("read the error inbox: %w", err)
		default:
			if known, err = decodeReport(record.Value); err != nil {
				return err
			}
		}
		next := change(known)
		if next == nil {
			return nil
		}
		value, err := json.Marshal(next)
		if err != nil {
			return err
		}
		switch {
		case next.done():
			// A crash between the two leaves the report in both; it is ended again.
			if _, err = i.store.AppendEntry(ctx, inboxJournal, Entry{Key: next.ID, Value: value}, false); err == nil && record.Revision != 0 {
				err = i.store.DeleteRecord(ctx, inboxBucket, record)
			}
		case string(value) != string(record.Value):
			record.Value = value
			_, err = i.store.PutRecord(ctx, inboxBucket, record)
		}
		if !errors.Is(err, ErrConflict) || try == inboxTries {
			return err
		}
	}
}

// Open returns the reports that are not done with, the newest first.
func (i *Inbox) Open(ctx context.Context) ([]ErrorReport, error) {
	records, err := i.store.Records(ctx, inboxBucket)
	if err != nil {
		return nil, fmt.Errorf("read the error inbox: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	all := make([]ErrorReport, 0, len(records))
	for _, record := range records {
		r, err := decodeReport(record.Value)
		if err != nil {
			return nil, err
		}
		if p := i.pending[record.Key]; p != nil && p.Times > 0 {
			r.merge(*p)
		}
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b ErrorReport) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// ListedReport is a report that is done with, and its place in the list.
type ListedReport struct {
	// Number is what to list on from.
	Number uint64 `json:"number"`
	ErrorReport
}

// Done returns the reports that are done with, newest first, from the newest one
// with a number below before, or from the newest of all if before is 0.
func (i *Inbox) Done(ctx context.Context, before uint64, limit int) ([]ListedReport, error) {
	open, err := i.Open(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, r := range open {
		seen[r.ID] = true
	}
	var all []ListedReport
	for len(all) < limit {
		entries, err := i.store.Entries(ctx, inboxJournal, before, limit)
		if err != nil || len(entries) == 0 {
			return all, err
		}
		for _, e := range entries {
			before = e.Number
			if len(all) == limit {
				break
			}
			last, err := i.last(ctx, e.Key)
			if err != nil {
				return nil, err
			}
			if last.Number == e.Number && !seen[e.Key] { // it was done with more than once
				all = append(all, last)
			}
		}
	}
	return all, nil
}

// last returns how a report was done with the last time.
func (i *Inbox) last(ctx context.Context, id string) (ListedReport, error) {
	entries, err := i.store.EntriesOf(ctx, inboxJournal, id, maxEvents)
	if err != nil {
		return ListedReport{}, err
	}
	if len(entries) == 0 {
		return ListedReport{}, fmt.Errorf("error %q: %w", id, ErrNoRecord)
	}
	e := entries[len(entries)-1]
	r, err := decodeReport(e.Value)
	if err != nil {
		return ListedReport{}, err
	}
	return ListedReport{Number: e.Number, ErrorReport: *r}, nil
}

// Report returns one report, or ErrNoRecord.
func (i *Inbox) Report(ctx context.Context, id string) (ErrorReport, error) {
	r, _, err := i.find(ctx, id)
	return r, err
}

// find returns a report and, if it is not done with, its subject.
func (i *Inbox) find(ctx context.Context, id string) (_ ErrorReport, subject string, err error) {
	open, err := i.Open(ctx)
	if err != nil {
		return ErrorReport{}, "", err
	}
	for _, r := range open {
		if r.ID == id {
			return r, r.subject(), nil
		}
	}
	done, err := i.last(ctx, id)
	return done.ErrorReport, "", err
}

// Prune deletes reports that were done with before a time.
func (i *Inbox) Prune(ctx context.Context, before time.Time) (int, error) {
	return pruneJournal(ctx, i.store, inboxJournal, before)
}

// pruneJournal deletes the entries of a journal from before a time, in small
// steps.
func pruneJournal(ctx context.Context, journals Journals, journal string, before time.Time) (pruned int, err error) {
	const step = 500
	for {
		n, err := journals.PruneEntries(ctx, journal, before, step)
		if pruned += n; err != nil || n < step {
			return pruned, err
		}
	}
}
