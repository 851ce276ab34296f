package boltstore

import (
	"context"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
)

// Message implements host.History.
func (s *Store) Message(_ context.Context, g host.GroupName, id host.ID) (found host.Listed, err error) {
	state := s.state(g)
	status, ok := state.Status(id)
	if !ok {
		return found, fmt.Errorf("message %d of %q: %w", id, g, host.ErrNoMessage)
	}
	err = s.view(func(tx *bolt.Tx) error {
		key := idKey(id)
		value := tx.Bucket(groupsBucket).Bucket([]byte(g)).Bucket(messagesBucket).Get(key)
		if value == nil {
			return host.ErrNoMessage // pruned meanwhile
		}
		m, err := decodeMessage(key, value)
		found = host.Listed{Message: m, Status: status}
		return err
	})
	if err != nil {
		return host.Listed{}, fmt.Errorf("message %d of %q: %w", id, g, err)
	}
	return found, nil
}

// List implements host.History.
func (s *Store) List(_ context.Context, g host.GroupName, before host.ID, limit int, only ...host.Status) (found []host.Listed, err error) {
	// What the state lists is in the file, unless it was pruned meanwhile.
	state := s.state(g)
	err = s.view(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(groupsBucket).Bucket([]byte(g))
		if bucket == nil {
			return nil
		}
		cursor := bucket.Bucket(messagesBucket).Cursor()
		bytes := 0
		for r := range state.Newest(before, only...) {
			for k, v := seekLast(cursor, r.Last); k != nil && keyID(k) >= r.First; k, v = cursor.Prev() {
				if len(found) == limit {
					return nil
				}
				m, err := decodeMessage(k, v)
				if bytes += len(m.Data); bytes > host.MaxBatchBytes && len(found) > 0 {
					return nil
				}
				m.ID = keyID(k)
				status, _ := state.Status(m.ID)
				found = append(found, host.Listed{Message: m, Status: status, Damaged: err != nil})
			}
			if len(found) == limit {
				return nil
			}
		}
		return nil
	})
	return found, err
}

// seekLast goes to the newest message up to id.
func seekLast(cursor *bolt.Cursor, id host.ID) (k, v []byte) {
	k, v = cursor.Seek(idKey(id))
	switch {
	case k == nil:
		return cursor.Last()
	case keyID(k) > id:
		return cursor.Prev()
	}
	return k, v
}

// CountIn implements host.History.
func (s *Store) CountIn(_ context.Context, g host.GroupName, ids host.Ranges) (host.Counts, error) {
	return s.state(g).CountIn(ids), nil
}

// At implements host.History. It halves the ids, as times never go back.
func (s *Store) At(_ context.Context, g host.GroupName, t time.Time) (id host.ID, err error) {
	state := s.state(g)
	err = s.view(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(groupsBucket).Bucket([]byte(g))
		if bucket == nil {
			return nil
		}
		cursor := bucket.Bucket(messagesBucket).Cursor()
		// All before low are too old; found is the oldest known that is not.
		for low, high := host.ID(1), state.Last; low <= high; {
			middle := low + (high-low)/2
			m, ok := firstSound(cursor, middle, high)
			switch {
			case !ok:
				high = middle - 1
			case m.Time.Before(t):
				low = m.ID + 1
			default:
				id, high = m.ID, middle-1
			}
		}
		return nil
	})
	return id, err
}

// firstSound returns the first message from low to high that is not damaged.
func firstSound(cursor *bolt.Cursor, low, high host.ID) (m host.Message, ok bool) {
	for k, v := cursor.Seek(idKey(low)); k != nil && keyID(k) <= high; k, v = cursor.Next() {
		if m, err := decodeMessage(k, v); err == nil {
			return m, true
		}
	}
	return m, false
}

// Added implements host.History.
func (s *Store) Added(_ context.Context, g host.GroupName, key string) (ids host.Ranges, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(groupsBucket).Bucket([]byte(g))
		if bucket == nil {
			return nil
		}
		a, known, err := findAddition(bucket.Bucket(keysBucket), bucket.Bucket(messagesBucket), key)
		if known && err == nil {
			ids.Add(host.Range{First: a.first, Last: a.last()})
		}
		return err
	})
	return ids, err
}

// Prune implements host.History.
func (s *Store) Prune(ctx context.Context, name host.GroupName, before time.Time, limit int) (pruned uint64, err error) {
	err = s.do(ctx, 0, func(c *commit) error {
		g, err := c.group(name)
		if g == nil || err != nil {
			return err
		}
		old := g.prunable(before, limit)
		pruned = old.Count()
		c.dirty, c.room = c.dirty || pruned > 0, c.room || pruned > 0
		return g.prune(old)
	})
	return pruned, err
}

// prunable finds the oldest read messages from before a time. It passes over
// damaged ones, as it is not known when they were added.
func (g *groupCommit) prunable(before time.Time, limit int) (old host.Ranges) {
	cursor := g.messages.Cursor()
	for r := range g.state.Read() {
		for k, v := cursor.Seek(idKey(r.First)); k != nil && keyID(k) <= r.Last; k, v = cursor.Next() {
			if old.Count() == uint64(limit) {
				return old
			}
			m, err := decodeMessage(k, v)
			if err != nil {
				continue
			}
			if !m.Time.Before(before) {
				return old // no later one is older
			}
			old.Add(host.Range{First: m.ID, Last: m.ID})
		}
	}
	return old
}

// prune deletes messages, and each idempotency key with the last message that
// was added with it.
func (g *groupCommit) prune(old host.Ranges) error {
	for id := range old.IDs() {
		key := idKey(id)
		m, err := decodeMessage(key, g.messages.Get(key))
		if err != nil {
			return err
		}
		if m.Key != "" {
			a, known, err := findAddition(g.keys, g.messages, m.Key)
			if known && err == nil && id == a.last() {
				if err := g.keys.Delete([]byte(m.Key)); err != nil {
					return err
				}
			}
		}
		if err := g.messages.Delete(key); err != nil {
			return err
		}
	}
	g.state.Forget(old)
	return nil
}
