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
		return found, host.ErrNoMessage
	}
	err = s.view(func(tx *bolt.Tx) error {
		value := tx.Bucket(groupsBucket).Bucket([]byte(g)).Bucket(messagesBucket).Get(idKey(id))
		if value == nil {
			return host.ErrNoMessage // pruned meanwhile
		}
		m, err := decodeMessage(id, value)
		found = host.Listed{Message: m, Status: status}
		return err
	})
	return found, err
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
				m, err := decodeMessage(keyID(k), v)
				if err != nil {
					return fmt.Errorf("message %d of %q: %w", keyID(k), g, err)
				}
				if bytes += len(m.Data); bytes > host.MaxBatchBytes && len(found) > 0 {
					return nil
				}
				status, _ := state.Status(m.ID)
				found = append(found, host.Listed{Message: m, Status: status})
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
			k, v := cursor.Seek(idKey(middle))
			if k == nil || keyID(k) > high {
				high = middle - 1
				continue
			}
			m, err := decodeMessage(keyID(k), v)
			if err != nil {
				return fmt.Errorf("message %d of %q: %w", keyID(k), g, err)
			}
			if m.Time.Before(t) {
				low = m.ID + 1
			} else {
				id, high = m.ID, middle-1
			}
		}
		return nil
	})
	return id, err
}

// Added implements host.History.
func (s *Store) Added(_ context.Context, g host.GroupName, key string) (ids host.Ranges, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(groupsBucket).Bucket([]byte(g))
		if bucket == nil {
			return nil
		}
		value := bucket.Bucket(keysBucket).Get([]byte(key))
		if value == nil {
			return nil
		}
		known, err := decodeAddition(value)
		if err != nil {
			return fmt.Errorf("idempotency key %q of %q: %w", key, g, err)
		}
		ids.Add(host.Range{First: known.first, Last: known.first + host.ID(known.count) - 1})
		return nil
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
		old, err := g.prunable(before, limit)
		if err != nil {
			return err
		}
		pruned = old.Count()
		c.dirty = c.dirty || pruned > 0
		return g.prune(old)
	})
	return pruned, err
}

// prunable finds the oldest read messages from before a time.
func (g *groupCommit) prunable(before time.Time, limit int) (old host.Ranges, err error) {
	cursor := g.messages.Cursor()
	for r := range g.state.Read() {
		_, v := cursor.Seek(idKey(r.First))
		for id := r.First; id <= r.Last; id++ {
			if old.Count() == uint64(limit) {
				return old, nil
			}
			m, err := decodeMessage(id, v)
			if err != nil {
				return host.Ranges{}, fmt.Errorf("message %d: %w", id, err)
			}
			if !m.Time.Before(before) {
				return old, nil // no later one is older
			}
			old.Add(host.Range{First: id, Last: id})
			_, v = cursor.Next()
		}
	}
	return old, nil
}

// prune deletes messages, and each idempotency key with the last message that
// was added with it.
func (g *groupCommit) prune(old host.Ranges) error {
	for id := range old.IDs() {
		m, err := decodeMessage(id, g.messages.Get(idKey(id)))
		if err != nil {
			return err
		}
		if m.Key != "" {
			known, err := decodeAddition(g.keys.Get([]byte(m.Key)))
			if err == nil && id == known.first+host.ID(known.count)-1 {
				if err := g.keys.Delete([]byte(m.Key)); err != nil {
					return err
				}
			}
		}
		if err := g.messages.Delete(idKey(id)); err != nil {
			return err
		}
	}
	g.state.Forget(old)
	return nil
}
