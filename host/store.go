package host

import (
	"context"
	"time"
)

// Store keeps what must not be lost. Everything it says was done is on disk,
// and every write may safely be repeated. All of it is safe for concurrent
// use, also by several processes where a store allows more than one. The suite
// in storetest holds every implementation to what is written here.
type Store interface {
	Messages
	Records
	Journals
	Bodies
	Close() error
}

// Messages keeps the messages of every group and whether they are read. A
// group exists once it has a message; an unknown one is simply empty. A message
// that does not match its checksum is returned by List alone, which marks it; it is
// moved like any other, and is not pruned.
type Messages interface {
	// Append commits an addition and returns the ids in the order of its data.
	// It fails with ErrKeyReused, ErrStoreFull or ErrClosed, and then nothing
	// was added. After any other error the outcome is unknown; repeating the
	// addition under its key settles it.
	Append(ctx context.Context, a Addition) ([]ID, error)

	// Unread returns the oldest unread messages: at most limit of them and
	// at most maxBytes of data, but always at least one if there is any. It
	// ends before a damaged message, and fails with ErrDamaged if that is the
	// first: nothing goes on until it is held. Of a store on several machines it
	// may be what was unread some seconds ago.
	Unread(ctx context.Context, g GroupName, limit, maxBytes int) ([]Message, error)

	// StillUnread tells whether what Unread returned may be handed out: all these
	// messages were unread at some moment after the call began or, if there are none,
	// none was when Unread returned that. When it returns false Unread has to be asked
	// again.
	StillUnread(ctx context.Context, g GroupName, ids Ranges) (bool, error)

	// Move gives the messages in ids a new status, all at once, and returns
	// how many had another one. Ids without a message are passed over. The
	// entries are appended before, or in the same commit, if any message is
	// moved; a store that can't tell may append them also if none is.
	Move(ctx context.Context, g GroupName, ids Ranges, to Status, record ...JournalEntry) (moved uint64, after Counts, err error)

	// Counts takes constant time.
	Counts(ctx context.Context, g GroupName) (Counts, error)

	// Watch returns a channel that gets a value after messages of the group
	// became unread. It is a hint: it may come too often, or be lost when the
	// reader is slow. Call stop when done; the channel is never closed.
	Watch(g GroupName) (changed <-chan struct{}, stop func())

	History
}

// History looks at and prunes messages, whatever their status.
type History interface {
	// Message returns one message. It fails with ErrNoMessage or ErrDamaged.
	Message(ctx context.Context, g GroupName, id ID) (Listed, error)

	// List returns messages newest first, from the newest one older than
	// before, or from the newest of all if before is 0. If statuses are given,
	// it passes over messages of others, and takes no longer for them. It
	// returns at most limit messages with at most MaxBatchBytes of data, but
	// always at least one if there is any: only an empty list is the end.
	List(ctx context.Context, g GroupName, before ID, limit int, only ...Status) ([]Listed, error)

	// CountIn counts the messages in ids by their status; ids without a message
	// are passed over. It looks at no message.
	CountIn(ctx context.Context, g GroupName, ids Ranges) (Counts, error)

	// At returns the first message that was added at or after a time, or 0 if
	// there is none. Messages that were pruned, or are
	// damaged, are passed over.
	At(ctx context.Context, g GroupName, t time.Time) (ID, error)

	// Added returns the ids that were given to the messages added with an
	// idempotency key, also if some were pruned since: those that repeating the
	// addition answers. There are none if the key is not known, or not any more.
	Added(ctx context.Context, g GroupName, key string) (Ranges, error)

	// Prune deletes the read messages that were added before a time, oldest
	// first and at most limit of them, and returns how many it deleted.
	Prune(ctx context.Context, g GroupName, before time.Time, limit int) (uint64, error)
}

// Record is a small value under a key.
type Record struct {
	Key   string
	Value []byte
	// Revision changes with every write of the record. 0 means that there is
	// no record yet.
	Revision uint64
}

// Records keeps small values by bucket and key, changed by compare-and-set.
type Records interface {
	// Record returns one record, or ErrNoRecord.
	Record(ctx context.Context, bucket, key string) (Record, error)

	// Records returns all records of a bucket in the order of their keys.
	Records(ctx context.Context, bucket string) ([]Record, error)

	// PutRecord writes r if the record's revision is still r.Revision, and
	// returns the new revision; else it returns ErrConflict.
	PutRecord(ctx context.Context, bucket string, r Record) (revision uint64, err error)

	// DeleteRecord deletes the record if its revision is still r.Revision;
	// else it returns ErrConflict. A record that is not there is deleted.
	DeleteRecord(ctx context.Context, bucket string, r Record) error
}
