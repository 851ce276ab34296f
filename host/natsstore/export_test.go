package natsstore

import (
	"context"
	"time"

	"github.com/restante/restante/host"
)

// SweepAfter is when data without a message are looked at.
const SweepAfter = sweepAfter

// BetweenParts has f called before the parts of large additions but the first. An
// error ends the addition, as if the daemon had died.
func (s *Store) BetweenParts(f func(part int) error) { s.betweenParts = f }

// FenceOnly writes the fence behind an incomplete addition and does no more.
func (s *Store) FenceOnly(ctx context.Context, name host.GroupName) error {
	g := s.group(name)
	last, err := s.readTail(ctx, g)
	if err == nil {
		err = s.fence(ctx, g, last)
	}
	return err
}

// PutLargeOnly stores data for which no message is added.
func (s *Store) PutLargeOnly(ctx context.Context, g host.GroupName, data []byte) error {
	_, err := s.putLarge(ctx, g, data)
	return err
}

// LargeCells counts the data of large messages.
func (s *Store) LargeCells(ctx context.Context, g host.GroupName) (n int, err error) {
	all, err := s.bodies.list(ctx, largeKey(g, "*"))
	for _, c := range all {
		if !c.gone {
			n++
		}
	}
	return n, err
}

// Now is the store's clock.
func (s *Store) Now() time.Time { return s.now() }

// PretendLast has the state of a group say that it has so many messages.
func (s *Store) PretendLast(ctx context.Context, name host.GroupName, last host.ID) error {
	if err := s.makeGroup(ctx, name); err != nil {
		return err
	}
	return s.tableOf(string(name)).do(ctx, &change{run: func(c *commit) error {
		state, err := c.change(name)
		if err == nil {
			state.Last = last
		}
		return err
	}})
}

// ForgetOnly has the state of a group say that messages are gone, and deletes none.
func (s *Store) ForgetOnly(ctx context.Context, name host.GroupName, ids host.Ranges) error {
	return s.tableOf(string(name)).do(ctx, &change{run: func(c *commit) error {
		state, err := c.change(name)
		if err != nil {
			return err
		}
		state.Last = max(state.Last, 100)
		state.Move(ids, host.Read)
		state.Forget(ids)
		state.leftover = ids
		return nil
	}})
}
