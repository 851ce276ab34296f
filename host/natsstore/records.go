package natsstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/restante/restante/host"
)

// All records of a bucket are in the same table, so that they can be listed.

func recordKey(bucket, key string) (string, error) {
	token := encodeToken(key)
	if len(token) > maxToken || bucket == "" {
		return "", fmt.Errorf("record %q of %q: %w: as a part of a subject the key has %d bytes, at most %d are possible",
			key, bucket, host.ErrTooLarge, len(token), maxToken)
	}
	return "r." + encodeToken(bucket) + "." + token, nil
}

// Record implements host.Records.
func (s *Store) Record(ctx context.Context, bucket, key string) (host.Record, error) {
	at, err := recordKey(bucket, key)
	if err != nil {
		return host.Record{}, err
	}
	c, err := s.tableOf(bucket).load(ctx, at)
	if err != nil {
		return host.Record{}, fmt.Errorf("record %q of %q: %w", key, bucket, err)
	}
	if !c.exists() {
		return host.Record{}, host.ErrNoRecord
	}
	return host.Record{Key: key, Value: slices.Clone(c.value), Revision: c.seq}, nil
}

// Records implements host.Records.
func (s *Store) Records(ctx context.Context, bucket string) (found []host.Record, err error) {
	all, err := s.tableOf(bucket).list(ctx, "r."+encodeToken(bucket)+".*")
	if err != nil {
		return nil, fmt.Errorf("records of %q: %w", bucket, err)
	}
	for _, c := range all {
		if c.gone {
			continue
		}
		key, err := decodeToken(c.key[strings.LastIndexByte(c.key, '.')+1:])
		if err != nil {
			return nil, fmt.Errorf("records of %q: %w: %w", bucket, host.ErrDamaged, err)
		}
		found = append(found, host.Record{Key: key, Value: c.value, Revision: c.seq})
	}
	slices.SortFunc(found, func(a, b host.Record) int { return strings.Compare(a.Key, b.Key) })
	return found, nil
}

// PutRecord implements host.Records. The revision is the sequence in the stream.
func (s *Store) PutRecord(ctx context.Context, bucket string, r host.Record) (uint64, error) {
	at, err := recordKey(bucket, r.Key)
	if err != nil {
		return 0, err
	}
	var written *cell
	value := slices.Clone(r.Value)
	err = s.tableOf(bucket).do(ctx, &change{needs: []string{at}, bytes: len(value), run: func(c *commit) error {
		if err := c.unchanged(at, r.Revision); err != nil {
			return err
		}
		written = &cell{key: at, value: value}
		c.set(written)
		return nil
	}})
	if err != nil {
		return 0, fmt.Errorf("put record %q of %q: %w", r.Key, bucket, err)
	}
	return written.seq, nil
}

// DeleteRecord implements host.Records.
func (s *Store) DeleteRecord(ctx context.Context, bucket string, r host.Record) error {
	at, err := recordKey(bucket, r.Key)
	if err != nil {
		return err
	}
	err = s.tableOf(bucket).do(ctx, &change{needs: []string{at}, run: func(c *commit) error {
		if old, err := c.get(at); err != nil || !old.exists() && !c.changed(at) {
			return err
		}
		if err := c.unchanged(at, r.Revision); err != nil {
			return err
		}
		c.delete(at)
		return nil
	}})
	if err != nil {
		return fmt.Errorf("delete record %q of %q: %w", r.Key, bucket, err)
	}
	return nil
}

// unchanged fails with host.ErrConflict unless a record's revision is still the
// given one.
func (c *commit) unchanged(key string, revision uint64) error {
	old, err := c.get(key)
	if err != nil {
		return err
	}
	current := old.seq
	if old.gone {
		current = 0
	}
	if c.changed(key) || current != revision {
		return host.ErrConflict
	}
	return nil
}
