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
// random bits, so a plain SHA-256 is all the hash that it needs. It is safe for
// concurrent use.
type Keys struct {
	records Records
	now     func() time.Time
	writing sync.Mutex
	mu      sync.RWMutex
	keys    map[string]*heldKey
}

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
	all, err := records.Records(ctx, keyBucket)
	if err != nil {
		return nil, fmt.Errorf("read API keys: %w", err)
	}
	for _, record := range all {
		held := &heldKey{revision: record.Revision}
		if err := json.Unmarshal(record.Value, &held.storedKey); err != nil {
			return nil, fmt.Errorf("record of API key %s is malformed: %w", record.Key, err)
		}
		if !held.Used.IsZero() {
			held.used.Store(held.Used.Unix())
		}
		k.keys[held.ID] = held
	}
	return k, nil
}

// Create makes a key and returns its text, which is not kept.
func (k *Keys) Create(ctx context.Context, g Grant) (text string, key Key, err error) {
	if err := g.Check(k.now()); err != nil {
		return "", Key{}, err
	}
	id := strings.ToLower(rand.Text()[:keyIDLength])
	text = keyPrefix + id + "_" + strings.ToLower(rand.Text())
	held := &heldKey{storedKey: storedKey{
		Key:  Key{ID: id, Grant: g, Created: k.now().UTC().Truncate(time.Second)},
		Hash: sha256.Sum256([]byte(text)),
	}}
	k.writing.Lock()
	defer k.writing.Unlock()
	if err := k.write(ctx, held, held.storedKey); err != nil {
		return "", Key{}, fmt.Errorf("create API key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[id] = held
	return text, held.Key, nil
}

// Revoke ends a key at once and for good. Revoking it again changes nothing.
func (k *Keys) Revoke(ctx context.Context, id string) (Key, error) {
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.RLock()
	held := k.keys[id]
	k.mu.RUnlock()
	if held == nil {
		return Key{}, fmt.Errorf("API key %q: %w", id, ErrNoRecord)
	}
	if held.Revoked.IsZero() {
		revoked := held.storedKey
		revoked.Revoked = k.now().UTC().Truncate(time.Second)
		if err := k.write(ctx, held, revoked); err != nil {
			return Key{}, fmt.Errorf("revoke API key %s: %w", id, err)
		}
	}
	return held.snapshot(), nil
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
// p for the group. It fails with ErrUnauthorized or ErrForbidden.
func (k *Keys) Authorize(text string, g GroupName, p Permission) (id string, err error) {
	id, _, _ = strings.Cut(strings.TrimPrefix(text, keyPrefix), "_")
	hash := sha256.Sum256([]byte(text))
	now := k.now()
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

// Flush writes when each key was last used. Call it now and then, and before
// the store is closed.
func (k *Keys) Flush(ctx context.Context) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.RLock()
	var changed []*heldKey
	for _, held := range k.keys {
		if used := held.used.Load(); used != 0 && used != held.Used.Unix() {
			changed = append(changed, held)
		}
	}
	k.mu.RUnlock()
	var errs []error
	for _, held := range changed {
		next := held.storedKey
		next.Used = held.snapshot().Used
		errs = append(errs, k.write(ctx, held, next))
	}
	return errors.Join(errs...)
}

// write stores a key and then puts it in force; k.writing is held.
func (k *Keys) write(ctx context.Context, held *heldKey, next storedKey) error {
	value, err := json.Marshal(next)
	if err != nil {
		return err
	}
	revision, err := k.records.PutRecord(ctx, keyBucket, Record{Key: next.ID, Value: value, Revision: held.revision})
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	held.storedKey, held.revision = next, revision
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
