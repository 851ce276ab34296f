package boltstore

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
)

// Append implements host.Messages.
func (s *Store) Append(ctx context.Context, a host.Addition) (ids []host.ID, err error) {
	bytes := 1
	for _, data := range a.Data {
		bytes += len(data)
	}
	err = s.do(ctx, bytes, func(c *commit) error {
		ids, err = c.append(a)
		return err
	})
	return ids, err
}

func (c *commit) append(a host.Addition) ([]host.ID, error) {
	g, err := c.makeGroup(a.Group)
	if err != nil {
		return nil, err
	}
	if a.Key != "" {
		if ids, err := g.repeated(a); ids != nil || err != nil {
			return ids, err
		}
	}
	c.dirty, g.freed = true, true
	first, at := g.state.Append(len(a.Data), c.now)
	ids := make([]host.ID, len(a.Data))
	for i, data := range a.Data {
		ids[i] = first + host.ID(i)
		key := idKey(ids[i])
		if err := g.messages.Put(key, encodeMessage(key, at, a.Key, data)); err != nil {
			return nil, err
		}
	}
	if a.Key != "" {
		known := addition{first: first, count: uint64(len(ids)), digest: a.Digest()}
		if err := g.keys.Put([]byte(a.Key), known.encode(a.Key)); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// repeated returns the ids of an addition that was made before, nil if it was
// not.
func (g *groupCommit) repeated(a host.Addition) ([]host.ID, error) {
	known, ok, err := findAddition(g.keys, g.messages, a.Key)
	if !ok || err != nil {
		return nil, err
	}
	if known.digest != a.Digest() {
		return nil, fmt.Errorf("%w: key %q, message %d", host.ErrKeyReused, a.Key, known.first)
	}
	ids := make([]host.ID, known.count)
	for i := range ids {
		ids[i] = known.first + host.ID(i)
	}
	return ids, nil
}

// Unread implements host.Messages.
func (s *Store) Unread(ctx context.Context, g host.GroupName, limit, maxBytes int) ([]host.Message, error) {
	// The state is taken before the transaction begins, so whatever it calls
	// unread is in the file already; unless it was read and pruned in between.
	// The state in the file knows.
	found, err := s.unread(ctx, g, s.state(g), limit, maxBytes)
	if errors.Is(err, errMissing) {
		found, err = s.unread(ctx, g, nil, limit, maxBytes)
	}
	return found, err
}

// StillUnread implements host.Messages.
func (s *Store) StillUnread(_ context.Context, g host.GroupName, ids host.Ranges) (bool, error) {
	state := s.state(g)
	for id := range ids.IDs() {
		if status, ok := state.Status(id); !ok || status != host.Unread {
			return false, nil
		}
	}
	return true, nil
}

var errMissing = fmt.Errorf("%w: it is missing", host.ErrDamaged)

// unread reads by a state or, if that is nil, by the one in the file.
func (s *Store) unread(ctx context.Context, g host.GroupName, state *host.State, limit, maxBytes int) (found []host.Message, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(groupsBucket).Bucket([]byte(g))
		if bucket == nil {
			return nil
		}
		if state == nil {
			if state, err = decodeState([]byte(g), bucket.Get(stateKey)); err != nil {
				return fmt.Errorf("group %q: %w", g, err)
			}
		}
		cursor := bucket.Bucket(messagesBucket).Cursor()
		bytes := 0
		for r := range state.Unread() {
			k, v := cursor.Seek(idKey(r.First))
			for id := r.First; id <= r.Last; id++ {
				if len(found) == limit {
					return nil
				}
				if k == nil || keyID(k) != id {
					return fmt.Errorf("message %d of %q: %w", id, g, errMissing)
				}
				m, err := decodeMessage(k, v)
				if err != nil && len(found) > 0 {
					return nil // the next batch begins with it
				}
				if err != nil {
					return fmt.Errorf("message %d of %q: %w", id, g, err)
				}
				if bytes += len(m.Data); bytes > maxBytes && len(found) > 0 {
					return nil
				}
				found = append(found, m)
				k, v = cursor.Next()
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// Move implements host.Messages.
func (s *Store) Move(ctx context.Context, name host.GroupName, ids host.Ranges, to host.Status, record ...host.JournalEntry) (moved uint64, after host.Counts, err error) {
	for _, e := range record {
		if err := checkEntry(e.Journal, e.Entry); err != nil {
			return 0, host.Counts{}, err
		}
	}
	err = s.do(ctx, 0, func(c *commit) error {
		g, err := c.group(name)
		if g == nil || err != nil {
			return err
		}
		if moved = g.state.Move(ids, to); moved > 0 {
			c.dirty = true
			g.freed = g.freed || to == host.Unread
			if err := c.appendEntries(record); err != nil {
				return err
			}
		}
		after = g.state.Counts()
		return nil
	})
	return moved, after, err
}

// Counts implements host.Messages.
func (s *Store) Counts(_ context.Context, g host.GroupName) (host.Counts, error) {
	return s.state(g).Counts(), nil
}
