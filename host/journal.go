package host

import (
	"context"
	"time"
)

// Entry is one entry of a journal.
type Entry struct {
	// Number counts the entries of the journal from 1, in the order in which they
	// were committed. Numbers that were pruned are not used again.
	Number uint64
	// Time is when it was committed, and never before that of an earlier entry.
	Time time.Time
	// Key joins entries that belong together. It may be empty, and has at most
	// MaxEntryKeyBytes.
	Key string
	// Value has at most MaxEntryBytes.
	Value []byte
}

// Limits of an entry.
const (
	// MaxEntryKeyBytes is the longest key of an entry.
	MaxEntryKeyBytes = 255
	// MaxEntryBytes is the largest value of an entry: 1 MiB.
	MaxEntryBytes = 1 << 20
)

// JournalEntry is an entry and the journal that it is for.
type JournalEntry struct {
	Journal string
	Entry
}

// Journals keep entries that are only ever appended. A journal exists once it
// has an entry; an unknown one is simply empty.
type Journals interface {
	// AppendEntry appends the key and the value of e and returns its number. If
	// once is set, and the journal has an entry with this key, it appends nothing
	// and returns the number of the first such entry.
	AppendEntry(ctx context.Context, journal string, e Entry, once bool) (number uint64, err error)

	// AppendEntries appends entries to their journals in this order, in one commit
	// if the store can. After an error the first of them may have been appended.
	AppendEntries(ctx context.Context, entries ...JournalEntry) error

	// Entries returns entries newest first, from the newest one with a number
	// below before, or from the newest of all if before is 0.
	Entries(ctx context.Context, journal string, before uint64, limit int) ([]Entry, error)

	// EntriesOf returns the entries with a key, oldest first.
	EntriesOf(ctx context.Context, journal, key string, limit int) ([]Entry, error)

	// PruneEntries deletes entries that were committed before a time, oldest
	// first and at most limit of them, and returns how many it deleted.
	PruneEntries(ctx context.Context, journal string, before time.Time, limit int) (int, error)
}

// Sum is the SHA-256 of a body.
type Sum [32]byte

// Bodies keep bytes by their SHA-256, apart for each group, so that the bytes of
// one are pruned without a thought of another's.
type Bodies interface {
	// PutBody keeps a body. Keeping it again costs next to nothing, and makes it
	// the newest of its group.
	PutBody(ctx context.Context, g GroupName, sum Sum, body []byte) error

	// Body returns a body, or ErrNoBody. It fails with ErrDamaged if the bytes
	// are not those of the sum.
	Body(ctx context.Context, g GroupName, sum Sum) ([]byte, error)

	// PruneBodies deletes the bodies of a group that were last put before a time,
	// and the oldest ones until those that are left have at most maxBytes in the
	// store. It deletes at most limit and returns how many it deleted.
	PruneBodies(ctx context.Context, g GroupName, before time.Time, maxBytes int64, limit int) (int, error)
}
