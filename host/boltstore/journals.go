package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
)

// A journal is a bucket below journalsBucket with two of its own: entries by
// their numbers, and for each entry its key, a NUL and its number.
var (
	journalsBucket  = []byte("journals")
	entriesBucket   = []byte("entries")
	entryKeysBucket = []byte("keys")
)

// encodeEntry puts a checksum before everything: of the journal and the number, and
// of the time in nanoseconds since 1970, a varint; the length of the key, an
// unsigned varint; the key; the value.
func encodeEntry(journal string, number []byte, e host.Entry) []byte {
	b := make([]byte, 4, 4+2*binary.MaxVarintLen64+len(e.Key)+len(e.Value))
	b = binary.AppendVarint(b, e.Time.UnixNano())
	b = binary.AppendUvarint(b, uint64(len(e.Key)))
	b = append(b, e.Key...)
	b = append(b, e.Value...)
	binary.BigEndian.PutUint32(b, crc([]byte(journal), number, b[4:]))
	return b
}

// decodeEntry copies all that it returns. In schema 1 the checksum was not of the
// journal.
func decodeEntry(journal string, key, b []byte) (host.Entry, error) {
	bad := func() (host.Entry, error) {
		return host.Entry{}, fmt.Errorf("entry %x of %q: %w", key, journal, errSum)
	}
	if len(key) != 8 || len(b) < 4 {
		return bad()
	}
	e := host.Entry{Number: binary.BigEndian.Uint64(key)}
	if stored := binary.BigEndian.Uint32(b); stored != crc([]byte(journal), key, b[4:]) && stored != crc(key, b[4:]) {
		return bad()
	}
	nanos, n := binary.Varint(b[4:])
	if n <= 0 {
		return bad()
	}
	b = b[4+n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return bad()
	}
	b = b[n:]
	e.Time, e.Key, e.Value = time.Unix(0, nanos).UTC(), string(b[:size]), bytes.Clone(b[size:])
	return e, nil
}

func entryKey(key string, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(key), 0), number)
}

// AppendEntry implements host.Journals.
func (s *Store) AppendEntry(ctx context.Context, journal string, e host.Entry, once bool) (number uint64, err error) {
	if err := checkEntry(journal, e); err != nil {
		return 0, err
	}
	err = s.do(ctx, len(e.Value), func(c *commit) error {
		if once {
			if b := journalOf(c.tx, journal); b != nil {
				if number = firstOf(b, e.Key); number != 0 {
					return nil
				}
			}
		}
		number, err = c.appendEntry(journal, e)
		return err
	})
	return number, err
}

// AppendEntries implements host.Journals.
func (s *Store) AppendEntries(ctx context.Context, entries ...host.JournalEntry) error {
	bytes := 0
	for _, e := range entries {
		if err := checkEntry(e.Journal, e.Entry); err != nil {
			return err
		}
		bytes += len(e.Value)
	}
	return s.do(ctx, bytes, func(c *commit) error { return c.appendEntries(entries) })
}

func (c *commit) appendEntries(entries []host.JournalEntry) error {
	for _, e := range entries {
		if _, err := c.appendEntry(e.Journal, e.Entry); err != nil {
			return err
		}
	}
	return nil
}

func checkEntry(journal string, e host.Entry) error {
	switch {
	case journal == "":
		return errors.New("append to a journal without a name")
	case len(e.Key) > host.MaxEntryKeyBytes || strings.ContainsRune(e.Key, 0):
		return fmt.Errorf("append to journal %q: a key has at most %d bytes and no NUL", journal, host.MaxEntryKeyBytes)
	case len(e.Value) > host.MaxEntryBytes:
		return fmt.Errorf("append to journal %q: %w: an entry has at most %d bytes", journal, host.ErrTooLarge, host.MaxEntryBytes)
	}
	return nil
}

func (c *commit) appendEntry(journal string, e host.Entry) (uint64, error) {
	c.dirty = true
	entries, keys, err := c.makeJournal(journal)
	if err != nil {
		return 0, err
	}
	if e.Number, err = entries.NextSequence(); err != nil {
		return 0, err
	}
	e.Time = c.now
	if k, v := entries.Cursor().Last(); k != nil {
		last, err := decodeEntry(journal, k, v)
		if err == nil && last.Time.After(e.Time) {
			e.Time = last.Time
		}
	}
	entries.FillPercent = appendFill
	at := binary.BigEndian.AppendUint64(nil, e.Number)
	if err := entries.Put(at, encodeEntry(journal, at, e)); err != nil {
		return 0, err
	}
	return e.Number, keys.Put(entryKey(e.Key, e.Number), nil)
}

// makeJournal returns the buckets of a journal, and makes them if need be.
func (c *commit) makeJournal(journal string) (entries, keys *bolt.Bucket, err error) {
	b, err := c.tx.Bucket(journalsBucket).CreateBucketIfNotExists([]byte(journal))
	if err == nil {
		entries, err = b.CreateBucketIfNotExists(entriesBucket)
	}
	if err == nil {
		keys, err = b.CreateBucketIfNotExists(entryKeysBucket)
	}
	return entries, keys, err
}

// appendFill is how full pages get where keys only grow.
const appendFill = 0.95

func journalOf(tx *bolt.Tx, journal string) *bolt.Bucket {
	return tx.Bucket(journalsBucket).Bucket([]byte(journal))
}

// firstOf returns the number of the first entry with a key, or 0.
func firstOf(b *bolt.Bucket, key string) uint64 {
	prefix := append([]byte(key), 0)
	if k, _ := b.Bucket(entryKeysBucket).Cursor().Seek(prefix); bytes.HasPrefix(k, prefix) {
		return binary.BigEndian.Uint64(k[len(prefix):])
	}
	return 0
}

// Entries implements host.Journals.
func (s *Store) Entries(_ context.Context, journal string, before uint64, limit int) (all []host.Entry, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b := journalOf(tx, journal)
		if b == nil {
			return nil
		}
		cursor := b.Bucket(entriesBucket).Cursor()
		k, v := cursor.Last()
		if before != 0 {
			// Beyond the newest there is nothing to step back from.
			if at, _ := cursor.Seek(binary.BigEndian.AppendUint64(nil, before)); at != nil {
				k, v = cursor.Prev()
			} else {
				k, v = cursor.Last()
			}
		}
		for ; k != nil && len(all) < limit; k, v = cursor.Prev() {
			e, err := decodeEntry(journal, k, v)
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return nil
	})
	return all, err
}

// EntriesOf implements host.Journals.
func (s *Store) EntriesOf(_ context.Context, journal, key string, limit int) (all []host.Entry, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b := journalOf(tx, journal)
		if b == nil {
			return nil
		}
		prefix := append([]byte(key), 0)
		cursor := b.Bucket(entryKeysBucket).Cursor()
		for k, _ := cursor.Seek(prefix); bytes.HasPrefix(k, prefix) && len(all) < limit; k, _ = cursor.Next() {
			number := k[len(prefix):]
			e, err := decodeEntry(journal, number, b.Bucket(entriesBucket).Get(number))
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return nil
	})
	return all, err
}

// PruneEntries implements host.Journals.
func (s *Store) PruneEntries(ctx context.Context, journal string, before time.Time, limit int) (n int, err error) {
	err = s.do(ctx, 0, func(c *commit) error {
		b := journalOf(c.tx, journal)
		if b == nil {
			return nil
		}
		entries, keys := b.Bucket(entriesBucket), b.Bucket(entryKeysBucket)
		var old []host.Entry
		cursor := entries.Cursor()
		for k, v := cursor.First(); k != nil && len(old) < limit; k, v = cursor.Next() {
			e, err := decodeEntry(journal, k, v)
			if err != nil {
				return err
			}
			if !e.Time.Before(before) {
				break
			}
			old = append(old, e)
		}
		for _, e := range old {
			c.dirty, c.room = true, true
			if err := entries.Delete(binary.BigEndian.AppendUint64(nil, e.Number)); err != nil {
				return err
			}
			if err := keys.Delete(entryKey(e.Key, e.Number)); err != nil {
				return err
			}
		}
		n = len(old)
		return nil
	})
	return n, err
}

// checkJournal looks at every entry of a journal and at its key.
func checkJournal(name []byte, b *bolt.Bucket) error {
	keys, n := b.Bucket(entryKeysBucket), 0
	var last host.Entry
	err := b.Bucket(entriesBucket).ForEach(func(k, v []byte) error {
		e, err := decodeEntry(string(name), k, v)
		if err != nil {
			return err
		}
		if e.Time.Before(last.Time) {
			return fmt.Errorf("entry %d: its time is out of order", e.Number)
		}
		last = e
		n++
		if keys.Get(entryKey(e.Key, e.Number)) == nil {
			return fmt.Errorf("entry %d: its key is not listed", e.Number)
		}
		return nil
	})
	if newest := b.Bucket(entriesBucket).Sequence(); err == nil && last.Number > newest {
		err = fmt.Errorf("entry %d: its number was not given out yet", last.Number)
	}
	if listed := keys.Stats().KeyN; err == nil && listed != n {
		err = fmt.Errorf("%d keys are listed for %d entries", listed, n)
	}
	return err
}
