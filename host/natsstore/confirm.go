package natsstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// A server that led a stream, and was cut off or stood still, answers for some seconds
// as if it led it yet: see (*Store).confirm.

// fenceKey is the cell that is written only to get a sequence.
const fenceKey = "c.0"

// errBehind: what was read is not what most of the servers have.
var errBehind = errors.New("the server that was asked is behind the others")

// confirmation waits for a sequence of a table that was given out after it began.
type confirmation struct {
	waiter
	seq uint64 // the outcome
}

// confirm tells whether the state of a group is still the one in the cell. Unlike the
// answer of a leader, this can't be of a time before the call: most of the servers
// take a write, and a server is asked that has this write already. Those who wait at
// the same time share the write.
func (s *Store) confirm(ctx context.Context, g host.GroupName, known *cell) (same bool, err error) {
	t := s.tableOf(string(g))
	c := &confirmation{waiter: newWaiter(ctx)}
	if err := t.confirms.add(s, c, t.writeFence); err != nil {
		return false, err
	}
	switch err := c.wait(s); {
	case errors.Is(err, host.ErrStoreFull):
		return true, nil // what is there can be fetched when nothing can be written
	case err != nil:
		return false, err
	}
	subject := t.subject(stateKey(g))
	found := known.seq
	err = s.try(ctx, func(ctx context.Context) error {
		all, upTo, err := s.direct(ctx, t.stream, getRequest{LastOf: []string{subject, t.subject(fenceKey)}})
		if err == nil && upTo < c.seq {
			err = errBehind
		}
		for _, m := range all {
			if m.subject == subject {
				found = m.seq
			}
		}
		return err
	})
	return found == known.seq, err
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
		seq, err = t.store.publish(ctx, "", []*nats.Msg{t.encode(c)}, nil)
		return err
	})
	for _, c := range all {
		c.seq = seq
		c.end(err)
	}
}

// confirmedView is a view of a group whose unread messages may be handed out: none of
// them was marked before the call, on whatever server. What was added last may be
// missing, if the servers don't reach each other.
func (s *Store) confirmedView(ctx context.Context, g host.GroupName) (view, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for n := 0; ; n++ {
		v, err := s.view(ctx, g)
		if err != nil || v.Counts().Unread == 0 {
			return v, err
		}
		same, err := s.confirm(ctx, g, v.cell)
		if err != nil || same {
			return v, err
		}
		if !s.pause(ctx, n) {
			return view{}, fmt.Errorf("unread messages of %q: %w", g, s.unavailable(ctx, errBehind))
		}
	}
}
