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
// concurrent use, also by several daemons on one store: in memory it has only
// what it has counted and not written yet.
type Inbox struct {
	store interface {
		Records
		Journals
	}
	now func() time.Time

	writing sync.Mutex // held while a report is changed

	mu      sync.Mutex
	counted map[string]*countedReport // by subject
}

// countedReport is what was raised of a subject and is not written yet, if Times
// is not 0.
type countedReport struct {
	ErrorReport
	// since is when the subject was last written, and zero if what comes next has
	// to be written at once.
	since time.Time
}

const (
	inboxBucket  = "errors"
	inboxJournal = "errors"
	// inboxPause is for how long what is raised again is only counted.
	inboxPause = time.Minute
	// inboxTries is how often a change is tried when others get in between.
	inboxTries = 20
)

// NewInbox returns the inbox of a store.
func NewInbox(store Store, now func() time.Time) *Inbox {
	return &Inbox{store: store, now: now, counted: map[string]*countedReport{}}
}

// Raise reports what is wrong; the inbox fills in ID, times, and what people
// decide. It is on disk when Raise returns, unless the same was raised within a
// minute: then it is only counted, until Flush. So is what can't be written,
// beside the error.
func (i *Inbox) Raise(ctx context.Context, r ErrorReport) error {
	now := i.now().UTC()
	r.Times, r.First, r.Last = max(r.Times, 1), now, now
	r.Lasting, r.Plugin, r.Daemon = r.Kind.Lasting(), limited(r.Plugin, maxReportPlugin), limited(r.Daemon, maxReportPlugin)
	r.Title, r.Details = limited(r.Title, maxReportTitle), limited(r.Details, maxReportDetails)
	subject := r.subject()
	i.mu.Lock()
	c := i.counted[subject]
	if c == nil {
		c = &countedReport{ErrorReport: r.nothing()}
		i.counted[subject] = c
	}
	c.merge(r)
	if pause := now.Sub(c.since); pause >= 0 && pause < inboxPause {
		i.mu.Unlock()
		return nil
	}
	c.since = time.Time{}
	i.mu.Unlock()
	return i.write(ctx, subject)
}

// Flush writes what was only counted. Call it now and then, and before the store
// is closed.
func (i *Inbox) Flush(ctx context.Context) error {
	now := i.now()
	var subjects []string
	i.mu.Lock()
	for subject, c := range i.counted {
		if c.Times > 0 {
			subjects = append(subjects, subject)
		} else if now.Sub(c.since) >= inboxPause {
			delete(i.counted, subject)
		}
	}
	i.mu.Unlock()
	slices.Sort(subjects)
	var errs []error
	for _, subject := range subjects {
		errs = append(errs, i.write(ctx, subject))
	}
	return errors.Join(errs...)
}

// write writes what was counted of a subject. What is raised shortly after is
// counted again.
func (i *Inbox) write(ctx context.Context, subject string) error {
	i.writing.Lock()
	defer i.writing.Unlock()
	open := false
	err := i.change(ctx, subject, func(known *ErrorReport) *ErrorReport {
		open = known != nil
		return known
	})
	i.mu.Lock()
	defer i.mu.Unlock()
	if c := i.counted[subject]; err == nil && open && c != nil && c.Times == 0 {
		c.since = i.now()
	}
	return err
}

// End says that what lasted is over, if it was reported at all.
func (i *Inbox) End(ctx context.Context, kind ErrorKind, g GroupName, plugin string) error {
	return i.end(ctx, subjectOf(kind, g, plugin))
}

// end says that what lasted is over.
func (i *Inbox) end(ctx context.Context, subject string) error {
	i.writing.Lock()
	defer i.writing.Unlock()
	return i.change(ctx, subject, func(known *ErrorReport) *ErrorReport {
		if known != nil && known.lasts() {
			known.Ended = i.now().UTC()
		}
		return known
	})
}

// Acknowledge notes who has seen a report. One that lasts stays, and counts
// silently, until it is over; others are done with. Acknowledging it again, or
// what is over, changes nothing. It fails with ErrNoRecord.
func (i *Inbox) Acknowledge(ctx context.Context, id, by string) (ErrorReport, error) {
	i.writing.Lock()
	defer i.writing.Unlock()
	found, open, err := i.find(ctx, id)
	if err != nil || !open {
		return found, err
	}
	err = i.change(ctx, found.subject(), func(known *ErrorReport) *ErrorReport {
		if known != nil && known.ID == id {
			if known.Unacknowledged() {
				known.Acknowledged, known.AcknowledgedBy = i.now().UTC(), limited(by, maxReportPlugin)
			}
			found = *known
		}
		return known
	})
	if err == nil && found.Unacknowledged() { // somebody else was quicker
		return i.Report(ctx, id)
	}
	return found, err
}

// Reopen has a report count as not seen; then it stays until it is acknowledged,
// also if it is over. It fails with ErrNoRecord, and with ErrConflict if the same
// is wrong again since and has a report of its own.
func (i *Inbox) Reopen(ctx context.Context, id string) (ErrorReport, error) {
	i.writing.Lock()
	defer i.writing.Unlock()
	found, _, err := i.find(ctx, id)
	if err != nil {
		return ErrorReport{}, err
	}
	taken, done := false, found
	err = i.change(ctx, found.subject(), func(known *ErrorReport) *ErrorReport {
		if taken = known != nil && known.ID != id; taken {
			return known
		}
		if known == nil {
			again := done
			known = &again
		}
		known.Acknowledged, known.AcknowledgedBy, known.Reopened = time.Time{}, "", true
		found = *known
		return known
	})
	if err == nil && taken {
		err = fmt.Errorf("error %s can't be reopened: there is a newer one of its kind: %w", id, ErrConflict)
	}
	return found, err
}

// change adds what was counted of a subject to its report and changes it; the
// report is nil if there is none. What is done with goes to the journal. i.writing
// is held.
func (i *Inbox) change(ctx context.Context, subject string, change func(*ErrorReport) *ErrorReport) error {
	counted := i.take(subject)
	for try := 1; ; try++ {
		err := i.tryChange(ctx, subject, func(known *ErrorReport) *ErrorReport { return change(counted.onto(known)) })
		if errors.Is(err, ErrConflict) && try < inboxTries {
			continue
		}
		if err != nil {
			i.putBack(subject, counted)
			return fmt.Errorf("write the error inbox: %w", err)
		}
		return nil
	}
}

func (i *Inbox) tryChange(ctx context.Context, subject string, change func(*ErrorReport) *ErrorReport) error {
	record, err := i.store.Record(ctx, inboxBucket, subject)
	var known *ErrorReport
	if errors.Is(err, ErrNoRecord) {
		record = Record{Key: subject}
	} else if err != nil {
		return err
	} else if known, err = decodeReport(record.Value); err != nil {
		return err
	}
	next := change(known)
	if next == nil {
		return nil
	}
	value, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if next.done() {
		// A crash between the two leaves the report in both places. It counts as
		// open, and is done with once more.
		_, err = i.store.AppendEntry(ctx, inboxJournal, Entry{Key: next.ID, Value: value}, false)
		if err == nil && record.Revision != 0 {
			err = i.store.DeleteRecord(ctx, inboxBucket, record)
		}
		return err
	}
	if string(value) != string(record.Value) {
		record.Value = value
		_, err = i.store.PutRecord(ctx, inboxBucket, record)
	}
	return err
}

// take returns what was counted of a subject. What is raised from now on is
// written.
func (i *Inbox) take(subject string) countedReport {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.counted[subject]
	if c == nil {
		return countedReport{}
	}
	taken := *c
	i.counted[subject] = &countedReport{ErrorReport: c.nothing()}
	return taken
}

// putBack counts again what could not be written.
func (i *Inbox) putBack(subject string, counted countedReport) {
	if counted.Times == 0 {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if c := i.counted[subject]; c != nil {
		counted.merge(c.ErrorReport)
	}
	i.counted[subject] = &counted
}

// onto adds what was counted to a report, which it makes if there is none.
func (c countedReport) onto(known *ErrorReport) *ErrorReport {
	if c.Times == 0 {
		return known
	}
	if known == nil {
		if c.Lasting && !c.since.IsZero() {
			return nil // another daemon has seen the end of it
		}
		fresh := c.nothing()
		fresh.ID = strings.ToLower(rand.Text()[:10])
		known = &fresh
	}
	known.merge(c.ErrorReport)
	return known
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
		if c := i.counted[record.Key]; c != nil {
			r.merge(c.ErrorReport)
		}
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b ErrorReport) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// ListedReport is a report and its place in the list of those that are done with.
type ListedReport struct {
	// Number is what to list on from; 0 for an open one.
	Number uint64 `json:"number,omitempty"`
	ErrorReport
}

// Done returns the reports that are done with, newest first, from the newest one
// with a number below before, or from the newest of all if before is 0.
func (i *Inbox) Done(ctx context.Context, before uint64, limit int) ([]ListedReport, error) {
	open, err := i.Open(ctx)
	if err != nil {
		return nil, err
	}
	var all []ListedReport
	for len(all) < limit {
		entries, err := i.store.Entries(ctx, inboxJournal, before, limit)
		if err != nil {
			return nil, fmt.Errorf("read the error inbox: %w", err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			before = e.Number
			if slices.ContainsFunc(open, func(r ErrorReport) bool { return r.ID == e.Key }) {
				continue // it was reopened
			}
			last, err := i.last(ctx, e.Key)
			if err != nil && !errors.Is(err, ErrNoRecord) { // pruned meanwhile
				return nil, err
			}
			if last.Number == e.Number && len(all) < limit { // it may have been done with before
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
		return ListedReport{}, fmt.Errorf("read the error inbox: %w", err)
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

// find returns a report, and whether it is open.
func (i *Inbox) find(ctx context.Context, id string) (_ ErrorReport, open bool, err error) {
	all, err := i.Open(ctx)
	if err != nil {
		return ErrorReport{}, false, err
	}
	for _, r := range all {
		if r.ID == id {
			return r, true, nil
		}
	}
	done, err := i.last(ctx, id)
	return done.ErrorReport, false, err
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
