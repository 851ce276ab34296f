package natsstore

import (
	"context"
	"fmt"

	"github.com/restante/restante/host"
)

// Move implements host.Messages. Moves that wait at the same time share a commit.
func (s *Store) Move(ctx context.Context, name host.GroupName, ids host.Ranges, to host.Status, record ...host.JournalEntry) (moved uint64, after host.Counts, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	entries, err := encodeEntries(record)
	if err != nil {
		return 0, host.Counts{}, err
	}
	// Ids beyond the newest message don't exist.
	last, err := s.tail(ctx, name)
	if err != nil {
		return 0, host.Counts{}, err
	}
	t := s.tableOf(string(name))
	here, elsewhere := entries.of(s, t)
	if len(here) > maxCommitMessages {
		here, elsewhere = nil, entries // too many for one commit
	}
	if len(elsewhere) > 0 && ids.Count() > 0 {
		if err := s.appendEntries(ctx, elsewhere); err != nil {
			return 0, host.Counts{}, err
		}
	}
	ids = ids.Clone()
	var outcome struct{ moved uint64 }
	c := &change{
		needs: append(here.heads(), stateKey(name)), messages: len(here) + 1, bytes: here.bytes(),
		run: func(c *commit) error {
			state, err := c.state(name)
			if err != nil {
				return err
			}
			if !c.changed(stateKey(name)) {
				copied := *s.joined(state, last)
				copied.State, copied.leftover = copied.State.Clone(), state.leftover.Clone()
				state = &copied
			} else if state.Last < last.visible {
				state.Last, state.Time = last.visible, last.time
			}
			outcome.moved = state.Move(ids, to)
			if outcome.moved == 0 {
				return nil
			}
			if err := c.appendEntries(here); err != nil {
				return err
			}
			if !c.changed(stateKey(name)) {
				c.set(&cell{key: stateKey(name), decoded: state})
			}
			return nil
		},
	}
	if err := t.do(ctx, c); err != nil {
		return 0, host.Counts{}, fmt.Errorf("make messages of %q %s: %w", name, to, err)
	}
	if to == host.Unread && outcome.moved > 0 {
		s.notify(name)
	}
	// What the commit knows of additions is from before it, when there may have been
	// fewer than others were told of since.
	after, err = s.Counts(ctx, name)
	return outcome.moved, after, err
}

// Counts implements host.Messages.
func (s *Store) Counts(ctx context.Context, g host.GroupName) (host.Counts, error) {
	v, err := s.view(ctx, g)
	if err != nil {
		return host.Counts{}, err
	}
	return v.Counts(), nil
}
