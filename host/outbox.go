package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Outbox keeps where sending stands, and every attempt. It is safe for concurrent
// use.
type Outbox struct {
	store interface {
		Records
		Journals
	}
}

const sendingBucket = "sending"

// NewOutbox returns the outbox of a store.
func NewOutbox(store Store) *Outbox { return &Outbox{store} }

// Sending returns where sending stands for a group; zero but for the name if it
// never began.
func (o *Outbox) Sending(ctx context.Context, g GroupName) (Sending, error) {
	s := Sending{Group: g}
	record, err := o.store.Record(ctx, sendingBucket, string(g))
	if errors.Is(err, ErrNoRecord) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(record.Value, &s)
	}
	if err == nil && s.Group != g {
		err = errors.New("it is of another group")
	}
	if err != nil {
		return Sending{}, fmt.Errorf("read where sending of %q stands: %w", g, err)
	}
	s.revision = record.Revision
	return s, nil
}

// Renew returns where sending stands now: s itself if nobody has written it since
// s was read or put, with all that was changed in s.
func (o *Outbox) Renew(ctx context.Context, s Sending) (Sending, error) {
	now, err := o.Sending(ctx, s.Group)
	if err == nil && now.revision == s.revision {
		return s, nil
	}
	return now, err
}

// Put writes where sending stands, if nobody has since it was read: else it fails
// with ErrConflict. The result is what can be put next.
func (o *Outbox) Put(ctx context.Context, s Sending) (Sending, error) {
	value, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	revision, err := o.store.PutRecord(ctx, sendingBucket, Record{Key: string(s.Group), Value: value, Revision: s.revision})
	if err != nil {
		return s, fmt.Errorf("write where sending of %q stands: %w", s.Group, err)
	}
	s.revision = revision
	return s, nil
}

// AttemptOutcome is what has become of an attempt.
type AttemptOutcome string

const (
	// AttemptSent: the receiver has accepted the batch.
	AttemptSent AttemptOutcome = "sent"
	// AttemptFailed: it may have it or not; it is sent again.
	AttemptFailed AttemptOutcome = "failed"
	// AttemptRefused: it has turned the batch down, and would again.
	AttemptRefused AttemptOutcome = "refused"
	// AttemptCut: the daemon stopped, or lost its lease, before there was an answer.
	AttemptCut AttemptOutcome = "cut off"
)

// Attempt is one request that was made, or could not be.
type Attempt struct {
	Time     time.Time `json:"time"`
	Delivery string    `json:"delivery"`
	// Number counts the attempts of the batch from 1; resuming begins anew. Lease is
	// the fencing number that it was made under.
	Number   int           `json:"number"`
	Lease    uint64        `json:"lease"`
	Messages string        `json:"messages"`
	Method   string        `json:"method,omitempty"`
	URL      string        `json:"url,omitempty"`
	Address  string        `json:"address,omitempty"`
	Took     time.Duration `json:"took"`
	// Status is that of the answer, 0 if there was none. Headers are a few of its
	// headers, and Answer is the beginning of its body.
	Status  int            `json:"status,omitempty"`
	Headers []HTTPHeader   `json:"headers,omitempty"`
	Answer  string         `json:"answer,omitempty"`
	Outcome AttemptOutcome `json:"outcome"`
	// Error says in words what went wrong; empty if nothing did.
	Error string `json:"error,omitempty"`
}

const (
	// maxAttemptAnswer is how much of an answer is kept, and maxAttemptError how
	// much of other texts.
	maxAttemptAnswer = 2 << 10
	maxAttemptError  = 1 << 10
	// maxListedAttempts is how many attempts of a delivery are looked at.
	maxListedAttempts = 10_000
)

func attemptJournal(g GroupName) string { return "attempts/" + string(g) }

// Kept returns what is kept of an attempt: its texts are cut.
func (a Attempt) Kept() Attempt {
	a.Answer, a.Error = limited(a.Answer, maxAttemptAnswer), limited(a.Error, maxAttemptError)
	a.URL, a.Messages = limited(a.URL, maxAttemptError), limited(a.Messages, maxAttemptError)
	a.Headers = slices.Clone(a.Headers)
	for i, h := range a.Headers {
		a.Headers[i].Value = limited(h.Value, maxAttemptError)
	}
	return a
}

// Record keeps an attempt.
func (o *Outbox) Record(ctx context.Context, g GroupName, a Attempt) error {
	value, err := json.Marshal(a.Kept())
	if err == nil {
		_, err = o.store.AppendEntry(ctx, attemptJournal(g), Entry{Key: a.Delivery, Value: value}, false)
	}
	if err != nil {
		return fmt.Errorf("record an attempt to send %q: %w", g, err)
	}
	return nil
}

// Attempts returns the attempts to send a delivery, oldest first.
func (o *Outbox) Attempts(ctx context.Context, g GroupName, delivery string) ([]Attempt, error) {
	entries, err := o.store.EntriesOf(ctx, attemptJournal(g), delivery, maxListedAttempts)
	if err != nil {
		return nil, err
	}
	return decodeAttempts(entries)
}

// Latest returns the last attempts of a group, newest first.
func (o *Outbox) Latest(ctx context.Context, g GroupName, limit int) ([]Attempt, error) {
	entries, err := o.store.Entries(ctx, attemptJournal(g), 0, limit)
	if err != nil {
		return nil, err
	}
	return decodeAttempts(entries)
}

func decodeAttempts(entries []Entry) ([]Attempt, error) {
	all := make([]Attempt, len(entries))
	for i, e := range entries {
		if err := json.Unmarshal(e.Value, &all[i]); err != nil {
			return nil, fmt.Errorf("%w: entry %d of a journal of attempts: %w", ErrDamaged, e.Number, err)
		}
	}
	return all, nil
}

// Prune deletes the attempts of a group from before a time.
func (o *Outbox) Prune(ctx context.Context, g GroupName, before time.Time) (int, error) {
	return pruneJournal(ctx, o.store, attemptJournal(g), before)
}
