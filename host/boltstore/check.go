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
// everything against its checksum, if it has one: the values of schema 1 had none
// but in journals and bodies. It sees one moment and may run while others write.
func (s *Store) CheckData() error {
	return s.view(func(tx *bolt.Tx) (err error) {
		defer recoverDamage(&err)()
		return errors.Join(
			eachBucket(tx.Bucket(groupsBucket), "group", checkGroup),
			eachBucket(tx.Bucket(recordsBucket), "records", checkRecords),
			eachBucket(tx.Bucket(journalsBucket), "journal", checkJournal),
			eachBucket(tx.Bucket(bodiesBucket), "bodies of", s.checkBodies))
	})
}

// eachBucket checks every bucket of one, and joins what is wrong.
func eachBucket(all *bolt.Bucket, what string, check func(name []byte, b *bolt.Bucket) error) error {
	var errs []error
	err := all.ForEach(func(name, value []byte) error {
		err := fmt.Errorf("%w: it is no bucket", host.ErrDamaged)
		if value == nil {
			err = checkBucket(name, all.Bucket(name), check)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", what, name, err))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// checkBucket turns a panic into an error, so that the other buckets are checked.
func checkBucket(name []byte, b *bolt.Bucket, check func([]byte, *bolt.Bucket) error) (err error) {
	defer recoverDamage(&err)()
	return check(name, b)
}

// maxFaults is how many damaged messages of one group are named.
const maxFaults = 100

func checkGroup(name []byte, bucket *bolt.Bucket) error {
	state, err := decodeState(name, bucket.Get(stateKey))
	if err != nil {
		return err
	}
	stored := uint64(0)
	var newest host.Message
	var faults []error
	err = bucket.Bucket(messagesBucket).ForEach(func(k, v []byte) error {
		stored++
		m, err := decodeMessage(k, v)
		if err != nil {
			if faults = append(faults, fmt.Errorf("message %s: %w", number(k), err)); len(faults) == maxFaults {
				return errors.New("perhaps there are more")
			}
			return nil
		}
		if _, ok := state.Status(m.ID); !ok {
			return fmt.Errorf("message %d is stored, but the state does not know it", m.ID)
		}
		if m.Time.Before(newest.Time) || m.Time.After(state.Time) {
			return fmt.Errorf("message %d: its time is out of order", m.ID)
		}
		if _, err := host.CheckData(m.Data); err != nil {
			return fmt.Errorf("message %d: %w", m.ID, err)
		}
		newest = m
		return nil
	})
	if err != nil {
		return errors.Join(append(faults, err)...)
	}
	counts := state.Counts()
	if known := counts.Unread + counts.Read + counts.Held; stored != known {
		faults = append(faults, fmt.Errorf("%d messages are stored, but the state counts %d", stored, known))
	}
	err = bucket.Bucket(keysBucket).ForEach(func(k, v []byte) error {
		a, err := decodeAddition(k, v)
		if err != nil {
			return fmt.Errorf("idempotency key %q: %w", k, err)
		}
		if _, ok := state.Status(a.last()); !ok {
			return fmt.Errorf("idempotency key %q outlives its message %d", k, a.last())
		}
		return nil
	})
	return errors.Join(append(faults, err)...)
}

// number writes the id of a message that may be damaged.
func number(key []byte) string {
	if len(key) != 8 {
		return fmt.Sprintf("%x", key)
	}
	return fmt.Sprint(keyID(key))
}
