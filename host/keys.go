package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Keys makes and checks API keys. The text of a key is "rk_ID_SECRET", 38
// characters that need no escaping in a URL or a shell. The secret has 130
// random bits, so a plain SHA-256 is all the hash that it needs.
//
// The keys are in memory. If the store is shared, what other daemons do to them
// holds here for every call that begins more than SharedBound later: what is older
// is read again first. While it can't be, calls go by what was read in the last
// SharedGrace, and fail with ErrUnavailable after that. It is safe for concurrent use.
type Keys struct {
	records Records
	now     func() time.Time
	fresh   *fresh     // nil if nobody else has the store
	writing sync.Mutex // held while records are changed, or read into keys
	mu      sync.RWMutex
	keys    map[string]*heldKey
}

// heldKey is a key as it was read or written. Only used changes.
type heldKey struct {
	storedKey
	revision uint64
	used     atomic.Int64 // Unix seconds
}

const (
	keyBucket   = "api-keys"
	keyPrefix   = "rk_"
	keyIDLength = 8
)

// OpenKeys reads the keys from the store.
func OpenKeys(ctx context.Context, records Records, now func() time.Time) (*Keys, error) {
	k := &Keys{records: records, now: now, keys: map[string]*heldKey{}}
	k.fresh = newFresh(records, time.Now(), k.read)
	if err := k.read(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// read reads all keys.
func (k *Keys) read(ctx context.Context) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	all, err := k.records.Records(ctx, keyBucket)
	if err != nil {
		return fmt.Errorf("read API keys: %w", err)
	}
	read := make([]*heldKey, len(all))
	for i, record := range all {
		if read[i], err = decodeKey(record); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, held := range read {
		k.hold(held)
	}
	return nil
}

// Refresh reads what other daemons have changed, if the store is shared. Call it
// more often than once in SharedBound, and no call has to wait for it.
func (k *Keys) Refresh(ctx context.Context) error { return k.fresh.since(ctx, time.Now(), sharedRead) }

func decodeKey(record Record) (*heldKey, error) {
	held := &heldKey{revision: record.Revision}
	if err := json.Unmarshal(record.Value, &held.storedKey); err != nil {
		return nil, fmt.Errorf("record of API key %s is malformed: %w", record.Key, err)
	}
	if !held.Used.IsZero() {
		held.used.Store(held.Used.Unix())
	}
	return held, nil
}

// hold puts a key in force as it was read; k.mu is held.
func (k *Keys) hold(read *heldKey) {
	known := k.keys[read.ID]
	if known != nil && known.revision == read.revision {
		return
	}
	if known != nil {
		read.used.Store(max(read.used.Load(), known.used.Load()))
	}
	k.keys[read.ID] = read
}

// Create makes a key and returns its text, which is not kept.
func (k *Keys) Create(ctx context.Context, g Grant) (text string, key Key, err error) {
	if err := g.Check(k.now()); err != nil {
		return "", Key{}, err
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	for {
		id := strings.ToLower(rand.Text()[:keyIDLength])
		text = keyPrefix + id + "_" + strings.ToLower(rand.Text())
		made := storedKey{
			Key:  Key{ID: id, Grant: g, Created: k.now().UTC().Truncate(time.Second)},
			Hash: sha256.Sum256([]byte(text)),
		}
		err := k.put(ctx, made, 0)
		if errors.Is(err, ErrConflict) {
			continue // there is such a key, perhaps of another daemon
		}
		if err != nil {
			return "", Key{}, fmt.Errorf("create API key: %w", err)
		}
		return text, made.Key, nil
	}
}

// Revoke ends a key at once and for good. Revoking it again changes nothing. It
// fails with ErrNoRecord if there is no such key.
func (k *Keys) Revoke(ctx context.Context, id string) (Key, error) {
	k.writing.Lock()
	defer k.writing.Unlock()
	err := k.change(ctx, id, func(s *storedKey) {
		if s.Revoked.IsZero() {
			s.Revoked = k.now().UTC().Truncate(time.Second)
		}
	})
	if err != nil {
		return Key{}, fmt.Errorf("revoke API key %s: %w", id, err)
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[id].snapshot(), nil
}

// List returns all keys, newest first.
func (k *Keys) List() []Key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := make([]Key, 0, len(k.keys))
	for _, held := range k.keys {
		all = append(all, held.snapshot())
	}
	slices.SortFunc(all, func(a, b Key) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Authorize returns the id of the key with this text if it is valid and allows
// p for the group. It fails with ErrUnauthorized or ErrForbidden, and with
// ErrUnavailable if the store is shared and can't be asked.
func (k *Keys) Authorize(ctx context.Context, text string, g GroupName, p Permission) (id string, err error) {
	if err := k.fresh.within(ctx, SharedBound, SharedGrace); err != nil {
		return "", fmt.Errorf("check an API key: %w", err)
	}
	id, _, _ = strings.Cut(strings.TrimPrefix(text, keyPrefix), "_")
	hash := sha256.Sum256([]byte(text))
	now := k.now()
	if err := k.find(ctx, id); err != nil {
		return "", fmt.Errorf("check an API key: %w", err)
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	held := k.keys[id]
	if held == nil || subtle.ConstantTimeCompare(hash[:], held.Hash[:]) != 1 {
		return "", ErrUnauthorized
	}
	if !held.Revoked.IsZero() {
		return "", fmt.Errorf("%w: key %s was revoked", ErrUnauthorized, id)
	}
	if !held.Expires.IsZero() && !now.Before(held.Expires) {
		return "", fmt.Errorf("%w: key %s has expired", ErrUnauthorized, id)
	}
	if !held.Allows(g, p) {
		return "", fmt.Errorf("%w: key %s is not for this queue and use", ErrForbidden, id)
	}
	held.used.Store(now.Unix())
	return id, nil
}

// find reads a key that is not known yet, as another daemon may have made it this
// very moment. Guessing costs the store one read of one record, as it does for a
// session.
func (k *Keys) find(ctx context.Context, id string) error {
	if k.fresh == nil || len(id) != keyIDLength {
		return nil
	}
	k.mu.RLock()
	known := k.keys[id] != nil
	k.mu.RUnlock()
	if known {
		return nil
	}
	record, err := k.records.Record(ctx, keyBucket, id)
	if errors.Is(err, ErrNoRecord) {
		return nil
	}
	if err != nil {
		return unavailableStore(err)
	}
	held, err := decodeKey(record)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[id] == nil { // what is there by now is newer
		k.hold(held)
	}
	return nil
}

// Flush writes when each key was last used. Call it now and then, and before
// the store is closed.
func (k *Keys) Flush(ctx context.Context) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.RLock()
	changed := map[string]time.Time{}
	for id, held := range k.keys {
		if used := held.used.Load(); used != 0 && (held.Used.IsZero() || used > held.Used.Unix()) {
			changed[id] = held.snapshot().Used
		}
	}
	k.mu.RUnlock()
	var errs []error
	for id, used := range changed {
		errs = append(errs, k.change(ctx, id, func(s *storedKey) {
			if used.After(s.Used) {
				s.Used = used
			}
		}))
	}
	return errors.Join(errs...)
}

// change edits a key and writes it, again if another daemon has meanwhile;
// k.writing is held. It fails with ErrNoRecord if there is no such key.
func (k *Keys) change(ctx context.Context, id string, edit func(*storedKey)) error {
	k.mu.RLock()
	held := k.keys[id]
	k.mu.RUnlock()
	for {
		if held == nil {
			record, err := k.records.Record(ctx, keyBucket, id)
			if err != nil {
				return err
			}
			if held, err = decodeKey(record); err != nil {
				return err
			}
			k.mu.Lock()
			k.hold(held)
			held = k.keys[id]
			k.mu.Unlock()
		}
		next := held.storedKey
		if edit(&next); next.Revoked.Equal(held.Revoked) && next.Used.Equal(held.Used) {
			return nil
		}
		err := k.put(ctx, next, held.revision)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		held = nil
	}
}

// put writes a key and then has it in force; k.writing is held.
func (k *Keys) put(ctx context.Context, next storedKey, revision uint64) error {
	value, err := json.Marshal(next)
	if err != nil {
		return err
	}
	revision, err = k.records.PutRecord(ctx, keyBucket, Record{Key: next.ID, Value: value, Revision: revision})
	if err != nil {
		return err
	}
	held := &heldKey{storedKey: next, revision: revision}
	if !next.Used.IsZero() {
		held.used.Store(next.Used.Unix())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hold(held)
	return nil
}

// snapshot returns the key with the time of its latest use.
func (h *heldKey) snapshot() Key {
	key := h.Key
	if used := h.used.Load(); used != 0 {
		key.Used = time.Unix(used, 0).UTC()
	}
	return key
}
