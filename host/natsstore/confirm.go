package natsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// A server that led a stream, and was cut off or stood still, answers for some seconds
// as if it led it yet: see (*Store).StillUnread.

// fenceKey is the cell that is written only to get a sequence.
const fenceKey = "c.0"

// errBehind: what was read is not what most of the servers have.
var errBehind = errors.New("the server that was asked is behind the others")

// confirmation waits for a sequence of a table that was given out after it began.
type confirmation struct {
	waiter
	seq uint64 // the outcome
}

// StillUnread implements host.Messages. Unlike the answer of a leader, this can't be of
// a time before the call: most of the servers take a write, and a server is asked that
// has this write already. Those who wait at the same time share the write. If nothing
// can be written, as the store is full, the leader is believed. That there is nothing
// costs a write only if there was none lately.
func (s *Store) StillUnread(ctx context.Context, g host.GroupName, ids host.Ranges) (bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	t := s.tableOf(string(g))
	if ids.Count() == 0 {
		return s.inTouch(ctx, t)
	}
	notBefore, err := s.newestState(ctx, t, g)
	if err != nil && !errors.Is(err, host.ErrStoreFull) {
		return false, err
	}
	for n := 0; ; n++ {
		c := t.lookUp(stateKey(g)) // Unread has read it a moment ago, and it may be that still
		if c == nil || notBefore == 0 || c.seq < notBefore {
			if c, err = t.load(ctx, stateKey(g)); err != nil {
				return false, err
			}
		}
		if c.seq < notBefore {
			if !s.pause(ctx, n) {
				return false, fmt.Errorf("unread messages of %q: %w", g, s.unavailable(ctx, errBehind))
			}
			continue
		}
		state, err := s.stateOf(c)
		if err != nil {
			return false, err
		}
		for id := range ids.IDs() {
			// What is newer than the state was never moved.
			if status, ok := state.Status(id); id <= state.Last && (!ok || status != host.Unread) {
				return false, nil
			}
		}
		return true, nil
	}
}

// touchFor is how long after a write nobody can have been elected behind the back of
// this daemon: servers hear nothing of a leader for four seconds before they elect
// another one (minElectionTimeoutDefault of nats-server).
const touchFor = 2 * time.Second

// inTouch tells whether what a leader answered just now was the newest there is, since
// most of the servers took a write lately. Otherwise it has them take one, so that it
// holds of what is asked next.
func (s *Store) inTouch(ctx context.Context, t *table) (bool, error) {
	if ago := time.Now().UnixNano() - s.wrote.Load(); ago >= 0 && ago < int64(touchFor) {
		return true, nil
	}
	if _, err := t.confirm(ctx); !errors.Is(err, host.ErrStoreFull) {
		return false, err
	}
	return true, nil
}

// newestState returns the sequence of the state of a group as most of the servers know
// it, 0 if it has none.
func (s *Store) newestState(ctx context.Context, t *table, g host.GroupName) (seq uint64, err error) {
	fence, err := t.confirm(ctx)
	if err != nil {
		return 0, err
	}
	subject := t.subject(stateKey(g))
	err = s.try(ctx, func(ctx context.Context) error {
		all, upTo, err := s.direct(ctx, t.stream, getRequest{LastOf: []string{subject, t.subject(fenceKey)}})
		if err == nil && upTo < fence {
			err = errBehind
		}
		for _, m := range all {
			if m.subject == subject {
				seq = m.seq
			}
		}
		return err
	})
	return seq, err
}

// confirm has most of the servers take a write, and returns its sequence.
func (t *table) confirm(ctx context.Context) (seq uint64, err error) {
	c := &confirmation{waiter: newWaiter(ctx)}
	if err := t.confirms.add(t.store, c, t.writeFence); err != nil {
		return 0, err
	}
	if err := c.wait(t.store); err != nil {
		return 0, err
	}
	return c.seq, nil
}

// writeFence writes a cell, and gives its sequence to all that wait.
func (t *table) writeFence(all []*confirmation) {
	var waiters []*waiter
	for _, c := range all {
		waiters = append(waiters, &c.waiter)
	}
	ctx, cancel := together(waiters)
	defer cancel()
	var seq uint64
	err := t.store.tryAt(ctx, t.stream, func(ctx context.Context) (err error) {
		c := &cell{key: fenceKey, operations: []operation{t.store.operation()}}
		seq, err = t.store.publish(ctx, "", []*nats.Msg{t.encode(c)})
		return err
	})
	for _, c := range all {
		c.seq = seq
		c.end(err)
	}
}
