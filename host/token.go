package host

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Token names exactly the messages of one batch. It is opaque to those who
// carry it: URL-safe text, about 30 characters for a batch of consecutive
// messages and a few more for every gap between them.
type Token string

// MaxTokenBytes is longer than any token: a batch of 1,000 messages, each
// apart from the next, takes under 22,000 bytes.
const MaxTokenBytes = 32 << 10

// Tokens seals and opens tokens. A token is bound to its group by an HMAC
// (SHA-256, the first 16 bytes) with a key that is kept in the store. Tokens
// never expire: rotation makes a new key for new tokens, and the old keys stay
// to open the old ones. A key that another daemon has made is read when a token
// comes that was sealed with it. It is safe for concurrent use.
type Tokens struct {
	records Records
	shared  bool
	mu      sync.RWMutex
	keys    [][]byte // by number; the last one seals
}

const (
	tokenBucket  = "token-keys"
	tokenVersion = 1
	tokenKeySize = 32
	tokenMACSize = 16
	maxTokenKeys = 256 // the number takes one byte
)

// OpenTokens reads the sealing keys from the store, or makes the first one.
func OpenTokens(ctx context.Context, records Records) (*Tokens, error) {
	t := &Tokens{records: records, shared: IsShared(records)}
	err := t.load(ctx)
	if err == nil && t.count() == 0 {
		err = t.Rotate(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open token keys: %w", err)
	}
	return t, nil
}

func (t *Tokens) count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.keys)
}

// load reads the keys that are not known yet. Keys are only ever added.
func (t *Tokens) load(ctx context.Context) error {
	t.mu.RLock()
	keys := slices.Clone(t.keys)
	t.mu.RUnlock()
	for len(keys) < maxTokenKeys {
		record, err := t.records.Record(ctx, tokenBucket, strconv.Itoa(len(keys)))
		if errors.Is(err, ErrNoRecord) {
			break
		}
		if err != nil {
			return err
		}
		if len(record.Value) != tokenKeySize {
			return fmt.Errorf("key %d has %d bytes, not %d", len(keys), len(record.Value), tokenKeySize)
		}
		keys = append(keys, record.Value)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(keys) > len(t.keys) {
		t.keys = keys
	}
	return nil
}

// Refresh reads the keys that other daemons have made, if the store is shared, so
// that new tokens are sealed with the newest one here, too. Call it now and then.
func (t *Tokens) Refresh(ctx context.Context) error {
	if !t.shared {
		return nil
	}
	if err := t.load(ctx); err != nil {
		return fmt.Errorf("read token keys: %w", err)
	}
	return nil
}

// Rotate makes a new key for all tokens from now on.
func (t *Tokens) Rotate(ctx context.Context) error {
	if err := t.Refresh(ctx); err != nil { // the newest key may be another daemon's
		return err
	}
	n := t.count()
	if n == maxTokenKeys {
		return fmt.Errorf("rotate token keys: %d keys were made, there can't be more", n)
	}
	key := make([]byte, tokenKeySize)
	rand.Read(key)
	// Somebody else may have made this key at the same moment; either will do.
	_, err := t.records.PutRecord(ctx, tokenBucket, Record{Key: strconv.Itoa(n), Value: key})
	if err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("rotate token keys: %w", err)
	}
	return t.load(ctx)
}

// Seal returns the token for the messages with these ids. The same ids give
// the same token until the keys are rotated.
func (t *Tokens) Seal(g GroupName, ids Ranges) Token {
	t.mu.RLock()
	number := len(t.keys) - 1
	key := t.keys[number]
	t.mu.RUnlock()
	b := append(make([]byte, 0, 64), tokenVersion, byte(number))
	b, _ = ids.AppendBinary(b)
	return Token(base64.RawURLEncoding.EncodeToString(append(b, tokenMAC(key, g, b)...)))
}

// Open returns the ids that the token names, or ErrBadToken if it was not
// sealed for this group or was changed in any way. It fails with ErrUnavailable if
// another daemon may have sealed it, and the store can't be asked for the key.
func (t *Tokens) Open(ctx context.Context, g GroupName, token Token) (Ranges, error) {
	// The decoder passes over line ends, which no token has.
	if len(token) > MaxTokenBytes || strings.ContainsAny(string(token), "\r\n") {
		return Ranges{}, ErrBadToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(token))
	if err != nil || len(b) < 2+tokenMACSize || b[0] != tokenVersion {
		return Ranges{}, ErrBadToken
	}
	body, mac := b[:len(b)-tokenMACSize], b[len(b)-tokenMACSize:]
	key := t.key(int(b[1]))
	if key == nil && t.shared {
		if err := t.load(ctx); err != nil {
			return Ranges{}, fmt.Errorf("open a token: %w", unavailableStore(err))
		}
		key = t.key(int(b[1]))
	}
	if key == nil || subtle.ConstantTimeCompare(mac, tokenMAC(key, g, body)) != 1 {
		return Ranges{}, ErrBadToken
	}
	ids, rest, err := decodeRanges(body[2:])
	if err != nil || len(rest) > 0 {
		return Ranges{}, ErrBadToken
	}
	return ids, nil
}

// key returns the key of a number, or nil.
func (t *Tokens) key(number int) []byte {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if number >= len(t.keys) {
		return nil
	}
	return t.keys[number]
}

func tokenMAC(key []byte, g GroupName, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(binary.AppendUvarint([]byte("restante token\n"), uint64(len(g))))
	h.Write([]byte(g))
	h.Write(body)
	return h.Sum(nil)[:tokenMACSize]
}
