package boltstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
)

// decodeRecord copies all that it returns.
func decodeRecord(key string, b []byte) (host.Record, error) {
	if b == nil {
		return host.Record{Key: key}, nil
	}
	if len(b) < 8 {
		return host.Record{}, fmt.Errorf("record %q is malformed: the store is damaged", key)
	}
	return host.Record{Key: key, Revision: binary.BigEndian.Uint64(b), Value: slices.Clone(b[8:])}, nil
}

// Record implements host.Records.
func (s *Store) Record(_ context.Context, bucket, key string) (found host.Record, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket(recordsBucket).Bucket([]byte(bucket))
		if b == nil {
			return host.ErrNoRecord
		}
		if found, err = decodeRecord(key, b.Get([]byte(key))); err == nil && found.Revision == 0 {
			err = host.ErrNoRecord
		}
		return err
	})
	return found, err
}

// Records implements host.Records.
func (s *Store) Records(_ context.Context, bucket string) (all []host.Record, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket(recordsBucket).Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			r, err := decodeRecord(string(k), v)
			all = append(all, r)
			return err
		})
	})
	return all, err
}

// PutRecord implements host.Records. Revisions never repeat within a bucket,
// also not after a record was deleted.
func (s *Store) PutRecord(ctx context.Context, bucket string, r host.Record) (revision uint64, err error) {
	err = s.do(ctx, 0, func(c *commit) error {
		b := c.tx.Bucket(recordsBucket).Bucket([]byte(bucket))
		if err := unchanged(b, r); err != nil {
			return err
		}
		c.dirty = true
		b, err := c.tx.Bucket(recordsBucket).CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		if revision, err = b.NextSequence(); err != nil {
			return err
		}
		return b.Put([]byte(r.Key), append(binary.BigEndian.AppendUint64(nil, revision), r.Value...))
	})
	return revision, err
}

// DeleteRecord implements host.Records.
func (s *Store) DeleteRecord(ctx context.Context, bucket string, r host.Record) error {
	return s.do(ctx, 0, func(c *commit) error {
		b := c.tx.Bucket(recordsBucket).Bucket([]byte(bucket))
		if b == nil || b.Get([]byte(r.Key)) == nil {
			return nil
		}
		if err := unchanged(b, r); err != nil {
			return err
		}
		c.dirty = true
		return b.Delete([]byte(r.Key))
	})
}

// unchanged returns host.ErrConflict unless the record's revision is still
// r.Revision.
func unchanged(b *bolt.Bucket, r host.Record) error {
	var value []byte
	if b != nil {
		value = b.Get([]byte(r.Key))
	}
	current, err := decodeRecord(r.Key, value)
	if err == nil && current.Revision != r.Revision {
		err = host.ErrConflict
	}
	return err
}
