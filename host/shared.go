package host

import (
	"context"
	"errors"
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
	// SharedGrace is how old it may be while the store can't be read, or not at once: so
	// that a daemon answers for the queues that it can still write, while the servers
	// elect who has the keys.
	SharedGrace = 15 * time.Second
	// sharedPatience is how long a reading may go on before what is known is taken.
	sharedPatience = 100 * time.Millisecond
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

// errSlow: a reading goes on for longer than somebody would wait.
var errSlow = errors.New("reading the store takes long")

// newFresh returns what keeps fresh what was read just after began; nil if the
// store is not shared.
func newFresh(store any, began time.Time, read func(context.Context) error) *fresh {
	if !IsShared(store) {
		return nil
	}
	return &fresh{read: read, asOf: began}
}

// within returns when what is known is no older than bound, and reads it if need be. While
// that fails, or takes long, it may be as old as grace. It fails with ErrUnavailable, or
// if ctx ends.
func (f *fresh) within(ctx context.Context, bound, grace time.Duration) error {
	if f == nil {
		return nil
	}
	now := time.Now()
	err := f.since(ctx, now.Add(-bound), sharedPatience)
	if err == nil || ctx.Err() != nil {
		return err
	}
	f.mu.Lock()
	old := f.asOf.Before(now.Add(-grace))
	f.mu.Unlock()
	if !old {
		return nil
	}
	if errors.Is(err, errSlow) {
		return f.since(ctx, now.Add(-bound), sharedRead)
	}
	return err
}

// since returns when what is known was read at t or later, and reads it if need be.
// Those who ask meanwhile wait for the same reading, also if it fails. It fails
// with ErrUnavailable, if ctx ends, or with errSlow if a reading goes on for longer than
// patience.
func (f *fresh) since(ctx context.Context, t time.Time, patience time.Duration) error {
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
			go f.run(ctx, r)
		}
		f.mu.Unlock()
		if err := r.wait(ctx, patience); err != nil {
			return err
		}
	}
}

// wait returns the outcome of a reading, or errSlow when it has gone on for longer than
// patience.
func (r *freshReading) wait(ctx context.Context, patience time.Duration) error {
	slow := time.NewTimer(patience - time.Since(r.began))
	defer slow.Stop()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	case <-slow.C:
		return unavailableStore(errSlow)
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
