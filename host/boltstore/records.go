package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
)

// encodeRecord seals a revision, 8 bytes big-endian, and a value.
func encodeRecord(bucket string, r host.Record) []byte {
	b := make([]byte, sealSize, sealSize+8+len(r.Value))
	b = binary.BigEndian.AppendUint64(b, r.Revision)
	return seal(append(b, r.Value...), []byte(bucket), []byte{0}, []byte(r.Key))
}

// decodeRecord copies all that it returns. In schema 1 records were not sealed and
// began with a 0, the first byte of the revision.
func decodeRecord(bucket, key string, value []byte) (host.Record, error) {
	if value == nil {
		return host.Record{Key: key}, nil
	}
	b, err := unseal(value, []byte(bucket), []byte{0}, []byte(key))
	if errors.Is(err, errNotSealed) && len(value) > 0 && value[0] == 0 {
		b, err = value, nil
	}
	if err != nil || len(b) < 8 {
		return host.Record{}, fmt.Errorf("record %q of %q: %w", key, bucket, damaged(err))
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
		if found, err = decodeRecord(bucket, key, b.Get([]byte(key))); err == nil && found.Revision == 0 {
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
			r, err := decodeRecord(bucket, string(k), v)
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
		if err := unchanged(b, bucket, r); err != nil {
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
		return b.Put([]byte(r.Key), encodeRecord(bucket, host.Record{Key: r.Key, Revision: revision, Value: r.Value}))
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
		if err := unchanged(b, bucket, r); err != nil {
			return err
		}
		c.dirty = true
		return b.Delete([]byte(r.Key))
	})
}

// unchanged returns host.ErrConflict unless the record's revision is still
// r.Revision.
func unchanged(b *bolt.Bucket, bucket string, r host.Record) error {
	var value []byte
	if b != nil {
		value = b.Get([]byte(r.Key))
	}
	current, err := decodeRecord(bucket, r.Key, value)
	if err == nil && current.Revision != r.Revision {
		err = host.ErrConflict
	}
	return err
}

// checkRecords looks at every record of a bucket.
func checkRecords(name []byte, b *bolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		r, err := decodeRecord(string(name), string(k), v)
		if err == nil && r.Revision > b.Sequence() {
			err = fmt.Errorf("record %q: its revision %d was not given out yet", k, r.Revision)
		}
		return err
	})
}
