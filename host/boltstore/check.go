package boltstore

import (
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/restante/restante/host"
)

// Check reads the whole file twice and returns everything that is not as it must
// be: what CheckData looks at, and how the pages hang together. Writes wait while
// it looks at the pages, since bbolt counts the free ones of the latest moment.
func (s *Store) Check() error { return errors.Join(s.checkPages(), s.CheckData()) }

func (s *Store) checkPages() error {
	tx, err := s.db.Begin(true)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return host.ErrClosed
	}
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var errs []error
	for err := range tx.Check() {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// CheckData reads all that is stored and returns everything that is not as it must
// be: the state of every group against its messages, idempotency keys, and
// journals and bodies against their checksums. It sees one moment and may run while
// others write.
func (s *Store) CheckData() error {
	return s.view(func(tx *bolt.Tx) error {
		var errs []error
		groups := tx.Bucket(groupsBucket)
		err := groups.ForEachBucket(func(name []byte) error {
			if err := checkGroup(groups.Bucket(name)); err != nil {
				errs = append(errs, fmt.Errorf("group %q: %w", name, err))
			}
			return nil
		})
		errs = append(errs, err,
			eachBucket(tx.Bucket(journalsBucket), "journal", checkJournal),
			eachBucket(tx.Bucket(bodiesBucket), "bodies of", s.checkBodies))
		return errors.Join(errs...)
	})
}

// eachBucket checks every bucket of one, and joins what is wrong.
func eachBucket(all *bolt.Bucket, what string, check func(*bolt.Bucket) error) error {
	var errs []error
	err := all.ForEachBucket(func(name []byte) error {
		if err := check(all.Bucket(name)); err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", what, name, err))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

func checkGroup(bucket *bolt.Bucket) error {
	var state host.State
	if err := state.UnmarshalBinary(bucket.Get(stateKey)); err != nil {
		return err
	}
	keys := bucket.Bucket(keysBucket)
	counts := state.Counts()
	stored := uint64(0)
	var newest host.Message
	err := bucket.Bucket(messagesBucket).ForEach(func(k, v []byte) error {
		id := keyID(k)
		m, err := decodeMessage(id, v)
		if err != nil {
			return fmt.Errorf("message %d: %w", id, err)
		}
		if _, ok := state.Status(id); !ok {
			return fmt.Errorf("message %d is stored, but the state does not know it", id)
		}
		if m.Time.Before(newest.Time) || m.Time.After(state.Time) {
			return fmt.Errorf("message %d: its time is out of order", id)
		}
		if _, err := host.CheckData(m.Data); err != nil {
			return fmt.Errorf("message %d: %w", id, err)
		}
		newest = m
		stored++
		return nil
	})
	if err != nil {
		return err
	}
	if known := counts.Unread + counts.Read + counts.Held; stored != known {
		return fmt.Errorf("%d messages are stored, but the state counts %d", stored, known)
	}
	return keys.ForEach(func(k, v []byte) error {
		a, err := decodeAddition(v)
		if err != nil {
			return fmt.Errorf("idempotency key %q: %w", k, err)
		}
		last := a.first + host.ID(a.count) - 1
		if _, ok := state.Status(last); !ok {
			return fmt.Errorf("idempotency key %q outlives its message %d", k, last)
		}
		return nil
	})
}
