package natsstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/restante/restante/host"
)

// Messages never change, so any server may answer for them; but one that lags does
// not have the newest yet, and the leader is asked for what it did not give.

// fetched is what was found of a message.
type fetched struct {
	host.Message
	label label
	err   error // host.ErrDamaged
}

// Of how many messages are fetched at once.
const (
	firstPage = 64
	maxPage   = 500
	// pageBytes is about how many bytes of data a page should have.
	pageBytes = 4 << 20
	// gap is how many ids between two that are wanted are fetched along, as that
	// is quicker than asking twice.
	gap = 3
)

// fetch yields the messages with the given ids, which must be in ascending or in
// descending order, and stored according to some view. A message that is missing is
// damaged, unless the state says by now that it is gone; then it is passed over.
func (s *Store) fetch(ctx context.Context, g host.GroupName, ids iter.Seq[host.ID]) iter.Seq2[fetched, error] {
	return func(yield func(fetched, error) bool) {
		next, stop := iter.Pull(ids)
		defer stop()
		size := firstPage
		for more := true; more; {
			var wanted []host.ID
			for len(wanted) < size {
				id, ok := next()
				if more = ok; !ok {
					break
				}
				wanted = append(wanted, id)
			}
			found, err := s.fetchPage(ctx, g, wanted)
			if err != nil {
				yield(fetched{}, err)
				return
			}
			bytes := 1
			for _, id := range wanted {
				if m := found[id]; m != nil {
					bytes += len(m.data)
				}
				f, ok, err := s.open(ctx, g, id, found[id])
				if (ok || err != nil) && !yield(f, err) || err != nil {
					return
				}
				delete(found, id)
			}
			size = min(max(pageBytes/(bytes/max(len(wanted), 1)+1), 8), maxPage)
		}
	}
}

// fetchPage returns messages as they are stored.
func (s *Store) fetchPage(ctx context.Context, g host.GroupName, wanted []host.ID) (map[host.ID]*stored, error) {
	wanted = slices.Sorted(slices.Values(wanted))
	stream := s.names.group(g)
	found := map[host.ID]*stored{}
	for rest := wanted; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n] <= rest[n-1]+1+gap {
			n++
		}
		run := rest[:n]
		first, last := run[0], run[n-1]
		all, _, err := s.direct(ctx, stream, getRequest{Seq: uint64(first), Batch: int(last-first) + 1})
		if err != nil && !transient(err) {
			return nil, plain(err)
		}
		got := host.ID(0)
		for _, m := range all {
			if id := host.ID(m.seq); id <= last {
				found[id] = m
				got = max(got, id)
			}
		}
		// A server stops at a number of bytes; go on behind what it gave.
		at, _ := slices.BinarySearch(run, got+1)
		if got == 0 {
			at = n // the leader is asked for them
		}
		rest = rest[at:]
	}
	return found, s.fetchMissing(ctx, g, wanted, found)
}

// fetchMissing asks the leader for those messages that were not found.
func (s *Store) fetchMissing(ctx context.Context, g host.GroupName, wanted []host.ID, found map[host.ID]*stored) error {
	var missing []host.ID
	for _, id := range wanted {
		if found[id] == nil {
			missing = append(missing, id)
		}
	}
	var mu sync.Mutex
	return each(missing, 16, func(id host.ID) error {
		m, err := s.getMessage(ctx, g, getRequest{Seq: uint64(id)})
		if err == nil && m != nil {
			mu.Lock()
			found[id] = m
			mu.Unlock()
		}
		return err
	})
}

// open opens a stored message, nil if it is missing. It returns false if it was
// pruned.
func (s *Store) open(ctx context.Context, g host.GroupName, id host.ID, m *stored) (f fetched, ok bool, err error) {
	f.ID, f.err = id, errMissing
	if m != nil {
		data := m.data
		f.err = nil
		if l, err := peekLabel(m); err == nil && l.large.pieces > 0 {
			if data, err = s.largeData(ctx, g, l.large); errors.Is(err, host.ErrDamaged) {
				f.err = err
			} else if err != nil {
				return f, false, err
			}
		}
		if f.err == nil {
			f.Message, f.label, f.err = openMessage(g, m, data)
		}
		if f.err == nil && f.label.fence {
			f.err = errMalformed
		}
		f.ID = id
	}
	if f.err == nil {
		return f, true, nil
	}
	if !errors.Is(f.err, host.ErrDamaged) {
		return f, false, fmt.Errorf("message %d of %q: %w", id, g, f.err)
	}
	// It may have been pruned since the state was looked at.
	v, err := s.view(ctx, g)
	if err != nil {
		return f, false, err
	}
	if _, ok := v.Status(id); !ok {
		return f, false, nil
	}
	f.Message = host.Message{ID: id}
	f.err = fmt.Errorf("message %d of %q: %w", id, g, f.err)
	return f, true, nil
}

// first yields at most n ids of ranges.
func first(ranges iter.Seq[host.Range], n int) iter.Seq[host.ID] {
	return func(yield func(host.ID) bool) {
		left := n
		for r := range ranges {
			for id := r.First; id <= r.Last; id++ {
				if left--; left < 0 || !yield(id) {
					return
				}
			}
		}
	}
}

// Unread implements host.Messages.
func (s *Store) Unread(ctx context.Context, g host.GroupName, limit, maxBytes int) (found []host.Message, err error) {
	l, err := s.look(ctx, g) // StillUnread tells if the newest was moved meanwhile
	if err != nil {
		return nil, err
	}
	state, err := s.stateOf(l.cell)
	if err != nil {
		return nil, err
	}
	bytes := 0
	for f, err := range s.fetch(ctx, g, first(s.joined(state, l.last).Unread(), limit)) {
		if err == nil {
			err = f.err
		}
		if errors.Is(err, host.ErrDamaged) && len(found) > 0 {
			break // the next batch begins with it
		}
		if err != nil {
			return nil, err
		}
		if bytes += len(f.Data); bytes > maxBytes && len(found) > 0 {
			break
		}
		found = append(found, f.Message)
	}
	return found, nil
}

// Message implements host.History.
func (s *Store) Message(ctx context.Context, g host.GroupName, id host.ID) (host.Listed, error) {
	v, err := s.view(ctx, g)
	if err != nil {
		return host.Listed{}, err
	}
	status, ok := v.Status(id)
	if !ok {
		return host.Listed{}, fmt.Errorf("message %d of %q: %w", id, g, host.ErrNoMessage)
	}
	f, ok, err := s.fetchOne(ctx, g, id)
	if err == nil && !ok {
		err = fmt.Errorf("message %d of %q: %w", id, g, host.ErrNoMessage) // pruned meanwhile
	}
	if err == nil {
		err = f.err
	}
	if err != nil {
		return host.Listed{}, err
	}
	return host.Listed{Message: f.Message, Status: status}, nil
}

// fetchOne returns one message, and false if it was pruned meanwhile.
func (s *Store) fetchOne(ctx context.Context, g host.GroupName, id host.ID) (f fetched, ok bool, err error) {
	for f, err := range s.fetch(ctx, g, slices.Values([]host.ID{id})) {
		return f, true, err
	}
	return f, false, nil
}

// List implements host.History.
func (s *Store) List(ctx context.Context, g host.GroupName, before host.ID, limit int, only ...host.Status) (found []host.Listed, err error) {
	v, err := s.view(ctx, g)
	if err != nil {
		return nil, err
	}
	bytes := 0
	for f, err := range s.fetch(ctx, g, newest(v.State, before, limit, only)) {
		if err != nil {
			return nil, err
		}
		if bytes += len(f.Data); bytes > host.MaxBatchBytes && len(found) > 0 {
			break
		}
		status, _ := v.Status(f.ID)
		found = append(found, host.Listed{Message: f.Message, Status: status, Damaged: f.err != nil})
	}
	return found, nil
}

// newest yields at most n ids of a state, the newest first.
func newest(state host.State, before host.ID, n int, only []host.Status) iter.Seq[host.ID] {
	return func(yield func(host.ID) bool) {
		left := n
		for r := range state.Newest(before, only...) {
			for id := r.Last; id >= r.First; id-- {
				if left--; left < 0 || !yield(id) {
					return
				}
			}
		}
	}
}
