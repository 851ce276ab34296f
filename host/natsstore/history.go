package natsstore

import (
	"context"
	"fmt"
	"time"

	"github.com/restante/restante/host"
)

// CountIn implements host.History.
func (s *Store) CountIn(ctx context.Context, g host.GroupName, ids host.Ranges) (host.Counts, error) {
	v, err := s.view(ctx, g)
	if err != nil {
		return host.Counts{}, err
	}
	return v.CountIn(ids), nil
}

// At implements host.History. It halves the ids, as times never go back.
func (s *Store) At(ctx context.Context, g host.GroupName, t time.Time) (id host.ID, err error) {
	v, err := s.view(ctx, g)
	if err != nil {
		return 0, err
	}
	// All before low are too old; id is the oldest known that is not.
	for low, high := host.ID(1), v.Last; low <= high; {
		middle := low + (high-low)/2
		m, err := s.firstSound(ctx, g, v, middle, high)
		switch {
		case err != nil:
			return 0, err
		case m.ID == 0:
			high = middle - 1
		case m.Time.Before(t):
			low = m.ID + 1
		default:
			id, high = m.ID, middle-1
		}
	}
	return id, nil
}

// firstSound returns the first message from low to high that is not damaged; the
// zero Message if there is none.
func (s *Store) firstSound(ctx context.Context, g host.GroupName, v view, low, high host.ID) (host.Message, error) {
	for r := range v.Stored(host.Range{First: low, Last: high}) {
		for id := r.First; id <= r.Last; id++ {
			f, ok, err := s.fetchOne(ctx, g, id)
			if err != nil {
				return host.Message{}, err
			}
			if ok && f.err == nil {
				return f.Message, nil
			}
		}
	}
	return host.Message{}, nil
}

// Added implements host.History.
func (s *Store) Added(ctx context.Context, g host.GroupName, key string) (ids host.Ranges, err error) {
	if key == "" {
		return ids, nil
	}
	known, _, err := s.findKey(ctx, g, key)
	if known != nil && err == nil {
		ids.Add(host.Range{First: known.first, Last: known.last()})
	}
	return ids, err
}

// Prune implements host.History. First the state says that the messages are gone,
// then they are deleted. If that is interrupted the next Prune goes on with it.
func (s *Store) Prune(ctx context.Context, name host.GroupName, before time.Time, limit int) (uint64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	v, err := s.view(ctx, name)
	if err != nil {
		return 0, err
	}
	old, err := s.prunable(ctx, name, v, before, limit)
	if err != nil {
		return 0, err
	}
	pruned := uint64(0)
	if old.Count() > 0 {
		err := s.tableOf(string(name)).do(ctx, &change{needs: []string{stateKey(name)}, run: func(c *commit) error {
			state, err := c.change(name)
			if err != nil {
				return err
			}
			if joined := s.joined(state, v.last); joined != state {
				state.Last, state.Time = joined.Last, joined.Time
			}
			forgotten := state.Forget(old)
			pruned = forgotten.Count()
			for r := range forgotten.All() {
				state.leftover.Add(r)
			}
			return nil
		}})
		if err != nil {
			return 0, fmt.Errorf("prune %q: %w", name, err)
		}
	}
	if err := s.deleteLeftover(ctx, name); err != nil {
		s.log.Warn("pruned messages are deleted later", "group", name, "error", err)
	}
	s.sweep(ctx, name)
	return pruned, nil
}

// prunable finds the oldest read messages from before a time. It passes over
// damaged ones, as it is not known when they were added.
func (s *Store) prunable(ctx context.Context, g host.GroupName, v view, before time.Time, limit int) (old host.Ranges, err error) {
	all := func(yield func(host.ID) bool) {
		for r := range v.Read() {
			for id := r.First; id <= r.Last; id++ {
				if !yield(id) {
					return
				}
			}
		}
	}
	if limit <= 0 {
		return old, nil
	}
	for f, err := range s.fetch(ctx, g, all) {
		if err != nil {
			return old, err
		}
		if f.err != nil {
			continue
		}
		if !f.Time.Before(before) {
			break // no later one is older
		}
		if old.Add(host.Range{First: f.ID, Last: f.ID}); old.Count() == uint64(limit) {
			break
		}
	}
	return old, nil
}

// deleteLeftover deletes what the state says is gone and may still be there.
func (s *Store) deleteLeftover(ctx context.Context, name host.GroupName) error {
	t := s.tableOf(string(name))
	c, err := t.load(ctx, stateKey(name))
	if err != nil {
		return err
	}
	state, err := s.stateOf(c)
	if err != nil || state.leftover.Count() == 0 {
		return err
	}
	leftover := state.leftover.Clone()
	if err := s.deleteLarge(ctx, name, leftover); err != nil {
		return err
	}
	stream := s.names.group(name)
	var seqs []uint64
	for r := range leftover.All() {
		// What begins the stream is deleted by one request, however much it is.
		stored := false
		for range state.Stored(host.Range{First: 1, Last: r.Last}) {
			stored = true
			break
		}
		if !stored {
			if err := s.purge(ctx, stream, purgeRequest{Before: uint64(r.Last) + 1}); err != nil {
				return err
			}
			continue
		}
		for id := r.First; id <= r.Last; id++ {
			seqs = append(seqs, uint64(id))
		}
	}
	if err := each(seqs, cleanUpAtOnce, func(seq uint64) error { return s.deleteSeq(ctx, stream, seq) }); err != nil {
		return err
	}
	return t.do(ctx, &change{needs: []string{stateKey(name)}, run: func(c *commit) error {
		state, err := c.change(name)
		if err == nil {
			for r := range leftover.All() {
				state.leftover.Remove(r)
			}
		}
		return err
	}})
}
