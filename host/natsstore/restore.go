package natsstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// Ids are sequences, so what is gone leaves its place: a stream begins with the first
// message that is restored, and where ids are missing later there are fillers, which
// the state knows to be gone, and which are deleted in the end.

// RestoreMessages implements host.Restoring.
func (s *Store) RestoreMessages(ctx context.Context, name host.GroupName, all []host.RestoredMessage) error {
	if len(all) == 0 {
		return nil
	}
	g := s.group(name)
	last, err := s.restorable(ctx, g, all[0].ID)
	if err != nil {
		return err
	}
	p := &placed{group: g, first: host.ID(last.seq) + 1, by: s.operation()}
	next := p.first
	large := map[host.ID]largeRef{}
	for _, m := range all {
		if m.ID < next {
			return fmt.Errorf("restore message %d of %q: %w, or its messages are not in order", m.ID, name, host.ErrNotEmpty)
		}
		for ; next < m.ID; next++ {
			p.all = append(p.all, s.filler(g, p.by, next, m.Time))
		}
		l := label{by: p.by, time: m.Time, first: m.ID, count: 1, key: m.Key}
		if k := m.Known; k != nil {
			l.first, l.count, l.digest = k.First, k.Count, hex.EncodeToString(k.Digest[:])
		}
		if len(m.Data) > pieceSize {
			if l.large, err = s.putLarge(ctx, name, m.Data); err != nil {
				return err
			}
			large[m.ID] = l.large
		}
		p.all = append(p.all, s.encodeMessage(name, m.ID, l, m.Data))
		next++
	}
	if err := s.restorePlaced(ctx, p); err != nil {
		return err
	}
	for id, ref := range large {
		if err := s.nameLarge(ctx, name, ref, id); err != nil {
			return err
		}
	}
	return nil
}

// restorable returns the end of a group's stream, which is made if need be, so that it
// begins with an id.
func (s *Store) restorable(ctx context.Context, g *group, first host.ID) (tail, error) {
	last, err := s.readTail(ctx, g)
	if err != nil || last.known {
		return last, err
	}
	c := s.groupConfig(g.name)
	c.First = uint64(first)
	if err := s.createStream(ctx, c); err != nil {
		return last, fmt.Errorf("make the stream of group %q: %w", g.name, err)
	}
	return s.readTail(ctx, g)
}

// filler is what an id has that is gone.
func (s *Store) filler(g *group, by operation, id host.ID, at time.Time) *nats.Msg {
	return s.encodeMessage(g.name, id, label{by: by, time: at, first: id, count: 1}, json.RawMessage("null"))
}

// restorePlaced publishes what was prepared, in batches.
func (s *Store) restorePlaced(ctx context.Context, p *placed) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for len(p.all) > 0 {
		n, bytes := 0, 0
		for n < len(p.all) && n < maxBatch && (n == 0 || bytes+len(p.all[n].Data) <= maxAppendBytes) {
			bytes += len(p.all[n].Data)
			n++
		}
		part := &placed{group: p.group, first: p.first, by: p.by, all: p.all[:n], parts: []int{n}}
		if err := s.write(ctx, part); err != nil {
			if errors.Is(err, errTooLate) {
				err = host.ErrNotEmpty
			}
			return fmt.Errorf("restore message %d of %q: %w", p.first, p.group.name, err)
		}
		p.all, p.first = p.all[n:], p.first+host.ID(n)
	}
	p.group.remember(tail{})
	return nil
}

// RestoreState implements host.Restoring.
func (s *Store) RestoreState(ctx context.Context, name host.GroupName, state host.State) error {
	g := s.group(name)
	last, err := s.restorable(ctx, g, state.Last+1)
	if err != nil {
		return err
	}
	p := &placed{group: g, first: host.ID(last.seq) + 1, by: s.operation()}
	for id := p.first; id <= state.Last; id++ {
		p.all = append(p.all, s.filler(g, p.by, id, state.Time))
	}
	if err := s.restorePlaced(ctx, p); err != nil {
		return err
	}
	err = s.tableOf(string(name)).do(ctx, &change{needs: []string{stateKey(name)}, run: func(c *commit) error {
		if old, err := c.state(name); err != nil || old.Last != 0 || host.ID(last.seq) > state.Last {
			return errors.Join(err, host.ErrNotEmpty)
		}
		next, err := c.change(name)
		if err != nil {
			return err
		}
		next.State = state.Clone()
		next.leftover = host.Ranges{}
		next.leftover.Add(host.Range{First: 1, Last: state.Last})
		for r := range state.Stored(host.Range{First: 1, Last: state.Last}) {
			next.leftover.Remove(r)
		}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("restore group %q: %w", name, err)
	}
	return s.deleteLeftover(ctx, name)
}

// RestoreEntries implements host.Restoring.
func (s *Store) RestoreEntries(ctx context.Context, journal string, last uint64, all []host.Entry) error {
	bytes := 0
	for _, e := range all {
		if err := checkEntry(journal, e); err != nil {
			return err
		}
		bytes += len(e.Value) + 500
	}
	if len(all) > maxCommitMessages/2 {
		middle := len(all) / 2
		if err := s.RestoreEntries(ctx, journal, 0, all[:middle]); err != nil {
			return err
		}
		return s.RestoreEntries(ctx, journal, last, all[middle:])
	}
	return s.journalTable(journal).do(ctx, &change{needs: []string{headKey(journal)}, messages: 2*len(all) + 1, bytes: bytes, run: func(c *commit) error {
		old, err := c.head(journal, false)
		if err != nil {
			return err
		}
		for i, e := range all {
			if i == 0 && old.first <= old.last && e.Number <= old.last || i > 0 && e.Number <= all[i-1].Number {
				return fmt.Errorf("restore entry %d of journal %q: %w, or its entries are not in order", e.Number, journal, host.ErrNotEmpty)
			}
		}
		h, err := c.head(journal, true)
		if err != nil {
			return err
		}
		if h.first > h.last && len(all) > 0 { // there was no entry yet, or none is left
			h.first, h.purged = all[0].Number, all[0].Number
			h.last, h.time = 0, time.Time{}
		}
		for _, e := range all {
			h.last = e.Number
			if e.Time.After(h.time) {
				h.time = e.Time
			}
			c.add(entryKey(journal, keyHash(e.Key), e.Number), encodeEntry(e))
		}
		if last > h.last {
			if h.first > h.last {
				h.first = last + 1
			}
			h.last = last
		}
		return nil
	}})
}

// RestoreBody implements host.Restoring.
func (s *Store) RestoreBody(ctx context.Context, g host.GroupName, b host.StoredBody, body []byte) error {
	return s.putBody(ctx, g, b.Sum, s.zip.EncodeAll(body, nil), func() time.Time { return b.Put })
}
