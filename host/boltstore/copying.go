package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
)

// Inventory implements host.Copying.
func (s *Store) Inventory(context.Context) (all host.Inventory, err error) {
	all.Journals = map[string]uint64{}
	err = s.view(func(tx *bolt.Tx) error {
		for _, of := range []struct {
			bucket []byte
			add    func(name []byte) error
		}{
			{groupsBucket, func(name []byte) error { all.Groups = append(all.Groups, host.GroupName(name)); return nil }},
			{recordsBucket, func(name []byte) error { all.Buckets = append(all.Buckets, string(name)); return nil }},
			{bodiesBucket, func(name []byte) error { all.Bodies = append(all.Bodies, host.GroupName(name)); return nil }},
			{journalsBucket, func(name []byte) error {
				all.Journals[string(name)] = journalOf(tx, string(name)).Bucket(entriesBucket).Sequence()
				return nil
			}},
		} {
			if err := tx.Bucket(of.bucket).ForEachBucket(of.add); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// State implements host.Copying.
func (s *Store) State(_ context.Context, g host.GroupName) (host.State, error) {
	return s.state(g).Clone(), nil
}

// Known implements host.Copying.
func (s *Store) Known(_ context.Context, g host.GroupName, key string) (known host.KnownKey, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(groupsBucket).Bucket([]byte(g))
		if bucket == nil {
			return host.ErrNoRecord
		}
		a, ok, err := findAddition(bucket.Bucket(keysBucket), bucket.Bucket(messagesBucket), key)
		if !ok && err == nil {
			err = host.ErrNoRecord
		}
		known = host.KnownKey{First: a.first, Count: a.count, Digest: a.digest}
		return err
	})
	return known, err
}

// Stored implements host.Copying.
func (s *Store) Stored(_ context.Context, g host.GroupName) (all []host.StoredBody, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket(bodiesBucket).Bucket([]byte(g))
		if b == nil {
			return nil
		}
		return b.Bucket(orderBucket).ForEach(func(_, v []byte) error {
			if len(v) != len(host.Sum{}) {
				return fmt.Errorf("%w: the order of the bodies of %q has %x, which is not a SHA-256", host.ErrDamaged, g, v)
			}
			body := host.StoredBody{Sum: host.Sum(v)}
			var err error
			_, body.Put, _, err = place(g, b, body.Sum)
			all = append(all, body)
			return err
		})
	})
	return all, err
}

// RestoreMessages implements host.Restoring.
func (s *Store) RestoreMessages(ctx context.Context, name host.GroupName, all []host.RestoredMessage) error {
	size := 0
	for _, m := range all {
		size += len(m.Data)
	}
	return s.do(ctx, size, func(c *commit) error {
		g, err := c.makeGroup(name)
		if err != nil {
			return err
		}
		c.dirty = true
		for _, m := range all {
			key := idKey(m.ID)
			if last, _ := g.messages.Cursor().Last(); last != nil && bytes.Compare(last, key) >= 0 {
				return fmt.Errorf("restore message %d of %q: %w, or its messages are not in order", m.ID, name, host.ErrNotEmpty)
			}
			if err := g.messages.Put(key, encodeMessage(key, m.Time, m.Key, m.Data)); err != nil {
				return err
			}
			if k := m.Known; k != nil {
				known := addition{first: k.First, count: k.Count, digest: k.Digest}
				if err := g.keys.Put([]byte(m.Key), known.encode(m.Key)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// RestoreState implements host.Restoring.
func (s *Store) RestoreState(ctx context.Context, name host.GroupName, state host.State) error {
	return s.do(ctx, 1, func(c *commit) error {
		g, err := c.makeGroup(name)
		if err != nil {
			return err
		}
		if g.state.Last != 0 {
			return fmt.Errorf("restore group %q: %w", name, host.ErrNotEmpty)
		}
		c.dirty, g.freed = true, true
		g.state = state.Clone()
		return nil
	})
}

// RestoreEntries implements host.Restoring.
func (s *Store) RestoreEntries(ctx context.Context, journal string, last uint64, all []host.Entry) error {
	size := 1
	for _, e := range all {
		if err := checkEntry(journal, e); err != nil {
			return err
		}
		size += len(e.Value)
	}
	return s.do(ctx, size, func(c *commit) error {
		c.dirty = true
		entries, keys, err := c.makeJournal(journal)
		if err != nil {
			return err
		}
		for _, e := range all {
			at := binary.BigEndian.AppendUint64(nil, e.Number)
			if k, _ := entries.Cursor().Last(); k != nil && bytes.Compare(k, at) >= 0 {
				return fmt.Errorf("restore entry %d of journal %q: %w, or its entries are not in order", e.Number, journal, host.ErrNotEmpty)
			}
			entries.FillPercent = appendFill
			if err := entries.Put(at, encodeEntry(journal, at, e)); err != nil {
				return err
			}
			if err := keys.Put(entryKey(e.Key, e.Number), nil); err != nil {
				return err
			}
			last = max(last, e.Number)
		}
		return entries.SetSequence(max(last, entries.Sequence()))
	})
}

// RestoreBody implements host.Restoring.
func (s *Store) RestoreBody(ctx context.Context, g host.GroupName, b host.StoredBody, body []byte) error {
	packed := s.pack(b.Sum, body)
	return s.do(ctx, len(packed), func(c *commit) error { return c.putBody(g, b.Sum, packed, b.Put) })
}
