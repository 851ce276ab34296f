package host

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Shared is implemented by a store that other daemons may have open, too. What one
// of them is to answer alone is kept in memory; of what they all answer, a daemon
// then reads again what another may have changed. A read of such a store must see
// every write that had returned when the read began, whoever wrote.
type Shared interface {
	// Shared tells whether others may have the store open. It is always the same.
	Shared() bool
}

// IsShared tells whether others may have a store open. One that does not say so is
// not shared.
func IsShared(store any) bool {
	s, ok := store.(Shared)
	return ok && s.Shared()
}

const (
	// SharedBound is how old what a daemon knows of API keys may be while it answers
	// by it, if the store is shared.
	SharedBound = time.Second
	// sharedRead is how long a read may take that somebody waits for.
	sharedRead = 5 * time.Second
	// clockSkew is by how much the clocks of daemons may differ.
	clockSkew = 5 * time.Second
)

// fresh has something read again before it gets too old. Nil stands for what
// nobody else changes: that is never read again. It is safe for concurrent use.
type fresh struct {
	read func(context.Context) error

	mu   sync.Mutex
	asOf time.Time     // when the last reading that succeeded began
	now  *freshReading // that goes on, or nil
}

// freshReading is a reading that several may wait for.
type freshReading struct {
	began time.Time
	done  chan struct{}
	err   error
}

// newFresh returns what keeps fresh what was read just after began; nil if the
// store is not shared.
func newFresh(store any, began time.Time, read func(context.Context) error) *fresh {
	if !IsShared(store) {
		return nil
	}
	return &fresh{read: read, asOf: began}
}

// since returns when what is known was read at t or later, and reads it if need be.
// Those who ask meanwhile wait for the same reading, also if it fails. It fails
// with ErrUnavailable, or if ctx ends.
func (f *fresh) since(ctx context.Context, t time.Time) error {
	if f == nil {
		return nil
	}
	for {
		f.mu.Lock()
		if !f.asOf.Before(t) {
			f.mu.Unlock()
			return nil
		}
		r := f.now
		if r == nil {
			r = &freshReading{began: time.Now(), done: make(chan struct{})}
			f.now = r
			f.mu.Unlock()
			f.run(ctx, r)
			return r.err
		}
		f.mu.Unlock()
		select {
		case <-r.done:
			if r.err != nil {
				return r.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// run reads. Whoever began it may go away, the others still wait for it.
func (f *fresh) run(ctx context.Context, r *freshReading) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedRead)
	defer cancel()
	if err := f.read(ctx); err != nil {
		r.err = unavailableStore(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now = nil; r.err == nil {
		f.asOf = r.began
	}
	close(r.done)
}

// unavailableStore says that what must be read can't be.
func unavailableStore(err error) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
