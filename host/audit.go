package host

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// AuditEntry says who has changed or looked at what.
type AuditEntry struct {
	// Time is when it was written down: before what it tells of was done or shown.
	Time time.Time `json:"time"`
	// Who is the name of a user, and From the address that the request came from.
	// For LocalOperator that is the name of the system's user, if it is known.
	Who  string `json:"who"`
	From string `json:"from,omitempty"`
	// Action is a constant phrase, such as "messages made unread".
	Action string    `json:"action"`
	Group  GroupName `json:"group,omitempty"`
	// Subject is what was changed or looked at: ids of messages, of a delivery, of
	// a key, the name of a user or plugin.
	Subject string `json:"subject,omitempty"`
	// Details say more, and are for people.
	Details string `json:"details,omitempty"`
}

// LocalOperator is who uses the commands on the daemon's own machine.
const LocalOperator = "local operator"

// Audit keeps who has changed or looked at what. It is safe for concurrent use.
type Audit struct{ journals Journals }

const (
	auditJournal = "audit"
	// auditStep is how many entries are read at once, at least, to find those of a
	// group.
	auditStep = 100
)

// NewAudit returns the audit log of a store.
func NewAudit(journals Journals) *Audit { return &Audit{journals} }

// Record writes an entry, whose Time is set by the store. What it tells of must
// not be done or shown if it fails.
func (a *Audit) Record(ctx context.Context, e AuditEntry) error {
	e.Time = time.Time{}
	e.Who, e.From, e.Action = limited(e.Who, 200), limited(e.From, 200), limited(e.Action, 200)
	e.Subject, e.Details = limited(e.Subject, 4000), limited(e.Details, 4000)
	value, err := json.Marshal(e)
	if err == nil {
		_, err = a.journals.AppendEntry(ctx, auditJournal, Entry{Key: string(e.Group), Value: value}, false)
	}
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// ListedAudit is an entry and its place in the list.
type ListedAudit struct {
	// Number is what to list on from.
	Number uint64 `json:"number"`
	AuditEntry
}

// List returns entries newest first, from the newest one with a number below
// before, or from the newest of all if before is 0; if g is not empty those of a
// group alone, which takes as long as reading all that lies between.
func (a *Audit) List(ctx context.Context, g GroupName, before uint64, limit int) ([]ListedAudit, error) {
	var all []ListedAudit
	step := limit
	if g != "" {
		step = max(limit, auditStep)
	}
	for len(all) < limit {
		entries, err := a.journals.Entries(ctx, auditJournal, before, step)
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		for _, e := range entries {
			before = e.Number
			if g != "" && e.Key != string(g) || len(all) == limit {
				continue
			}
			listed := ListedAudit{}
			if err := json.Unmarshal(e.Value, &listed.AuditEntry); err != nil {
				return nil, fmt.Errorf("%w: entry %d of the audit log: %w", ErrDamaged, e.Number, err)
			}
			listed.Number, listed.Time = e.Number, e.Time
			all = append(all, listed)
		}
		if len(entries) == 0 {
			break
		}
	}
	return all, nil
}

// Prune deletes entries from before a time.
func (a *Audit) Prune(ctx context.Context, before time.Time) (int, error) {
	return pruneJournal(ctx, a.journals, auditJournal, before)
}
