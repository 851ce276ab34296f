package natsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// An addition that is too much for one batch is written in parts. Each message says
// which ids its addition has, so while the last one is not there, nobody takes any
// of them for messages: the end of the group is before them (tail.visible).
//
// If the daemon that writes them dies, the next one to append gives the addition up.
// It writes a fence behind what is there: now the rest can't be written any more,
// since the last sequence is another. Then it has the state of the group say that
// the ids are gone, those of the parts and of the fence, and only then appends.
// Whoever dies in between leaves a fence at the end, and the next one goes on there.

// slowAppend is after how long an incomplete addition that does not grow is given
// up.
const slowAppend = 2 * time.Second

// publishParts makes one attempt to store what was prepared, but for the first
// messages that are stored already. Each part waits for the one before: it says only
// what the last sequence is, and that could be of a part of somebody else.
func (s *Store) publishParts(ctx context.Context, p *placed, done, attempt int) error {
	at := 0
	for i, n := range p.parts {
		part := p.all[at : at+n]
		first := uint64(p.first) + uint64(at)
		at += n
		if at <= done {
			continue
		}
		if s.betweenParts != nil && i > 0 {
			if err := s.betweenParts(i); err != nil {
				return err
			}
		}
		part[0].Header.Set("Nats-Expected-Last-Sequence", fmt.Sprint(first-1))
		err := s.onceWith(ctx, p.group.stream, bytesOf(part), func(ctx context.Context) error {
			_, err := s.publish(ctx, fmt.Sprintf("%s-%d-%d", p.by, i, attempt), part)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settleOpen waits for an incomplete addition at the end of a group to be completed,
// or gives it up, and returns the end then.
func (s *Store) settleOpen(ctx context.Context, g *group, last tail) (tail, error) {
	for since := time.Now(); last.open != nil && !last.open.fence; {
		if time.Since(since) > slowAppend {
			if err := s.fence(ctx, g, last); err != nil && !errors.Is(err, errTooLate) {
				return last, err
			}
		}
		if !s.pause(ctx, 10) {
			return last, s.unavailable(ctx, errUnsettled)
		}
		before := last.seq
		var err error
		if last, err = s.readTail(ctx, g); err != nil {
			return last, err
		}
		if last.seq != before {
			since = time.Now()
		}
	}
	if last.open != nil {
		if err := s.skip(ctx, g.name, last); err != nil {
			return last, err
		}
		last.open = nil
		last.visible = host.ID(last.seq)
	}
	return last, nil
}

var errUnsettled = errors.New("another daemon is in the middle of a large addition")

// fence writes a fence behind an incomplete addition.
func (s *Store) fence(ctx context.Context, g *group, last tail) error {
	l := label{fence: true, by: s.operation(), time: last.time, first: last.open.first, count: 1, settled: last.settled}
	m := s.encodeMessage(g.name, host.ID(last.seq)+1, l, nil)
	s.log.Warn("an addition was left incomplete and is given up; it was not answered",
		"group", g.name, "first_id", last.open.first, "last_id", last.seq)
	return s.write(ctx, &placed{group: g, first: host.ID(last.seq) + 1, by: l.by, all: []*nats.Msg{m}, parts: []int{1}})
}

// skip has the state of a group know that the ids up to a fence are gone.
func (s *Store) skip(ctx context.Context, name host.GroupName, last tail) error {
	ids := host.Range{First: last.open.first, Last: host.ID(last.seq)}
	return s.tableOf(string(name)).do(ctx, &change{needs: []string{stateKey(name)}, run: func(c *commit) error {
		state, err := c.state(name)
		if err != nil || state.settled >= last.seq {
			return err
		}
		if state, err = c.change(name); err != nil {
			return err
		}
		state.Skip(ids)
		state.leftover.Add(ids)
		state.settled = last.seq
		if last.time.After(state.Time) {
			state.Time = last.time
		}
		return nil
	}})
}
