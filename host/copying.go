package host

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
)

// Copying is what a store offers beyond Store so that all that it has can be copied
// to another one, of whatever kind, with ids, times and read state.
type Copying interface {
	Store

	// Inventory lists what there is.
	Inventory(ctx context.Context) (Inventory, error)
	// State returns the state of a group.
	State(ctx context.Context, g GroupName) (State, error)
	// Known returns what is remembered of an idempotency key, or ErrNoRecord.
	Known(ctx context.Context, g GroupName, key string) (KnownKey, error)
	// Stored returns which bodies a group has, the one that was put last being last.
	Stored(ctx context.Context, g GroupName) ([]StoredBody, error)

	Restoring
}

// Restoring puts in what another store has. It is for a store that nobody uses yet,
// and not atomic: what was restored in part is to be thrown away.
type Restoring interface {
	// RestoreMessages adds messages to a group with their ids, times and keys; ids
	// only go up, from one call to the next too. Ids that are left out are gone:
	// RestoreState says so in the end.
	RestoreMessages(ctx context.Context, g GroupName, all []RestoredMessage) error
	// RestoreState ends a group. The messages must be those of the state.
	RestoreState(ctx context.Context, g GroupName, s State) error
	// RestoreEntries appends entries to a journal with their times and numbers, of
	// which each is one more than the one before. Last is the number that was given
	// out last, or 0 if more entries come; it is needed where none are left.
	RestoreEntries(ctx context.Context, journal string, last uint64, all []Entry) error
	// RestoreBody keeps a body as if it had been put at a time. The newest comes last.
	RestoreBody(ctx context.Context, g GroupName, b StoredBody, body []byte) error
}

// Inventory is what a store has.
type Inventory struct {
	// Groups have messages, or had.
	Groups []GroupName
	// Buckets have records.
	Buckets []string
	// Journals are those that have entries, or had, with the number of the last.
	Journals map[string]uint64
	// Bodies are the groups that have bodies.
	Bodies []GroupName
}

// KnownKey is what is remembered of an addition with an idempotency key, as long as
// its last message is stored.
type KnownKey struct {
	// First is the id of its first message, and Count how many it had.
	First ID
	Count uint64
	// Digest is Addition.Digest.
	Digest [16]byte
}

// Last is the id of its last message.
func (k KnownKey) Last() ID { return k.First + ID(k.Count) - 1 }

// RestoredMessage is a message and, if it is the last of an addition whose key is
// known, what is remembered of that.
type RestoredMessage struct {
	Message
	Known *KnownKey
}

// StoredBody is a body, and when it was last put.
type StoredBody struct {
	Sum Sum
	Put time.Time
}

// Digest is the first half of a SHA-256 of the data: additions with the same key must
// agree in it.
func (a Addition) Digest() (digest [16]byte) {
	h := sha256.New()
	for _, data := range a.Data {
		h.Write(binary.AppendUvarint(nil, uint64(len(data))))
		h.Write(data)
	}
	copy(digest[:], h.Sum(nil))
	return digest
}

// ErrNotEmpty: something can only be restored into an empty store.
var ErrNotEmpty = errors.New("the store is not empty")
