package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Lease says that one daemon, and no other, does something for a while.
type Lease struct {
	// Name is what it is for.
	Name string
	// Number grows with every daemon that takes the lease: the fencing number. Who
	// sees a smaller one than before deals with a daemon that has lost it.
	Number uint64
	// Expires is when it is lost unless it was renewed.
	Expires time.Time

	revision uint64
}

// Leases hands out leases over records. It is safe for concurrent use, as long as
// each lease is renewed by one goroutine.
type Leases struct {
	records Records
	holder  string
	now     func() time.Time
}

const leaseBucket = "leases"

// NewLeases returns the leases of a daemon. Holder names it, and stays the same
// when it is started again, so that it need not wait for itself; no two daemons
// that run may have the same.
func NewLeases(records Records, holder string, now func() time.Time) *Leases {
	return &Leases{records, holder, now}
}

// storedLease is a lease as the store has it.
type storedLease struct {
	Holder  string    `json:"holder"`
	Number  uint64    `json:"number"`
	Expires time.Time `json:"expires"`
}

// Take takes a lease for some time. It fails with a *LeasedError while another
// daemon has it. A daemon that has it already takes it anew, with a new number.
func (l *Leases) Take(ctx context.Context, name string, term time.Duration) (Lease, error) {
	record, err := l.records.Record(ctx, leaseBucket, name)
	if err != nil && !errors.Is(err, ErrNoRecord) {
		return Lease{}, err
	}
	var known storedLease
	if record.Key = name; record.Revision != 0 {
		if err := json.Unmarshal(record.Value, &known); err != nil {
			return Lease{}, fmt.Errorf("%w: lease %q: %w", ErrDamaged, name, err)
		}
	}
	// Nobody else takes it before it has expired on any clock.
	if free := known.Expires.Add(clockSkew); known.Holder != "" && known.Holder != l.holder && l.now().Before(free) {
		return Lease{}, &LeasedError{Holder: known.Holder, Until: free}
	}
	taken, err := l.put(ctx, record.Revision, Lease{Name: name, Number: known.Number + 1}, l.holder, term)
	if errors.Is(err, ErrConflict) { // somebody else was faster
		err = &LeasedError{Holder: "another daemon", Until: l.now().Add(term)}
	}
	return taken, err
}

// Renew has a lease last for another term from now. It fails with ErrConflict if
// it was lost to another daemon, also before it has expired.
func (l *Leases) Renew(ctx context.Context, held Lease, term time.Duration) (Lease, error) {
	return l.put(ctx, held.revision, held, l.holder, term)
}

// Release gives a lease back. Its number is not used again.
func (l *Leases) Release(ctx context.Context, held Lease) error {
	_, err := l.put(ctx, held.revision, held, "", 0)
	if errors.Is(err, ErrConflict) { // it was another's already
		err = nil
	}
	return err
}

func (l *Leases) put(ctx context.Context, revision uint64, held Lease, holder string, term time.Duration) (Lease, error) {
	held.Expires = l.now().Add(term).UTC()
	value, err := json.Marshal(storedLease{holder, held.Number, held.Expires})
	if err != nil {
		return Lease{}, err
	}
	held.revision, err = l.records.PutRecord(ctx, leaseBucket, Record{Key: held.Name, Value: value, Revision: revision})
	if err != nil {
		return Lease{}, fmt.Errorf("write the lease %q: %w", held.Name, err)
	}
	return held, nil
}
