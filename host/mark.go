package host

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Limits of the rejections in one mark.
const (
	// MaxRejections is how many messages a receiver rejects at one time: all of a
	// batch.
	MaxRejections = MaxFetch
	// MaxRejectionBytes is the longest reason of a receiver.
	MaxRejectionBytes = 1000
)

// Marked is the outcome of a mark.
type Marked struct {
	// Marked counts the messages that were not read before.
	Marked uint64 `json:"markedCount"`
	// Unread counts those that are unread now.
	Unread uint64 `json:"unreadCount"`
	// Rejected counts the messages that the call rejected, also if it was made
	// before.
	Rejected uint64 `json:"rejectedCount,omitempty"`
}

// Refusal is that a receiver can't use messages that it was given.
type Refusal struct {
	Group GroupName
	// Batch are the messages of the batch.
	Batch Ranges
	By    Caller
	// Rejections are the messages and what the receiver says of each, which may be
	// nothing.
	Rejections []Rejection
}

// Mark records the messages of a token as read, but for those that the receiver
// rejects: they are held, whatever became of them before. It may be repeated:
// messages that are read already are not counted. It fails with ErrBadToken or
// ErrBadRejection, and changes nothing, unless the token is whole and this queue's
// own, and names what is rejected. By is for the record.
func (x *Exchange) Mark(ctx context.Context, g GroupName, token Token, rejections []Rejection, by Caller) (Marked, error) {
	if _, err := x.pollQueue(g); err != nil {
		return Marked{}, err
	}
	return x.mark(ctx, g, token, rejections, by)
}

func (x *Exchange) mark(ctx context.Context, g GroupName, token Token, rejections []Rejection, by Caller) (Marked, error) {
	ids, err := x.Tokens.Open(ctx, g, token)
	if err != nil {
		return Marked{}, err
	}
	if err := checkRejections(ids, rejections); err != nil {
		return Marked{}, err
	}
	var record []JournalEntry
	batch := batchKey(g, token)
	if x.Deliveries != nil {
		// What left is on disk before it counts as read.
		if err := x.Deliveries.settle(ctx, g, batch); err != nil {
			return Marked{}, err
		}
		entry, err := deliveryEntry(g, batch, deliveryEvent{Marked: &by})
		if err != nil {
			return Marked{}, err
		}
		record = append(record, entry)
	}
	// A repetition settles what a crash between the two leaves undone.
	if len(rejections) > 0 {
		if err := x.refuse(ctx, batch, Refusal{Group: g, Batch: ids, By: by, Rejections: rejections}); err != nil {
			return Marked{}, err
		}
	}
	rest := ids.Clone()
	for r := range idsOf(rejections).All() {
		rest.Remove(r)
	}
	moved, after, err := x.Store.Move(ctx, g, rest, Read, record...)
	if err == nil && x.Deliveries != nil {
		x.Deliveries.marked(batch)
	}
	if err == nil && x.Observer != nil {
		x.Observer.Marked(g, moved)
	}
	return Marked{Marked: moved, Unread: after.Unread, Rejected: uint64(len(rejections))}, err
}

// refuse holds messages that a receiver rejects. What it says of them is on disk
// first.
func (x *Exchange) refuse(ctx context.Context, batch string, r Refusal) error {
	fresh := false
	if x.Deliveries != nil {
		var err error
		if fresh, err = x.Deliveries.refuse(ctx, batch, r); err != nil {
			return err
		}
	}
	moved, _, err := x.Store.Move(ctx, r.Group, idsOf(r.Rejections), Held)
	if err == nil && (fresh || moved > 0) && x.Refused != nil {
		x.Refused(r)
	}
	return err
}

// maxRefused is how many rejections are in one entry, which has an end to its
// size.
const maxRefused = 100

// refuse records what a receiver rejects, unless all of it was, and tells whether
// it did.
func (d *Deliveries) refuse(ctx context.Context, batch string, r Refusal) (fresh bool, err error) {
	entries, err := d.store.EntriesOf(ctx, deliveryJournal(r.Group), batch, maxEvents)
	if err != nil {
		return false, err
	}
	var known Ranges
	for _, e := range entries {
		var event deliveryEvent
		if err := json.Unmarshal(e.Value, &event); err != nil {
			return false, fmt.Errorf("%w: entry %d: %w", ErrDamaged, e.Number, err)
		}
		if event.Refused != nil {
			for ids := range idsOf(event.Refused.Rejections).All() {
				known.Add(ids)
			}
		}
	}
	news := slices.DeleteFunc(slices.Clone(r.Rejections), func(r Rejection) bool { return known.Contains(r.ID) })
	for some := range slices.Chunk(news, maxRefused) {
		if err := d.append(ctx, r.Group, batch, deliveryEvent{Refused: &deliveryRefused{By: r.By, Rejections: some}}); err != nil {
			return false, err
		}
	}
	return len(news) > 0, nil
}

// checkRejections checks what a receiver says of the messages of its batch.
func checkRejections(batch Ranges, all []Rejection) error {
	if len(all) > MaxRejections {
		return fmt.Errorf("%w: %d are rejected, at most %d can be", ErrBadRejection, len(all), MaxRejections)
	}
	var seen Ranges
	for _, r := range all {
		switch {
		case !batch.Contains(r.ID):
			return fmt.Errorf("%w: message %d is not one of the token's", ErrBadRejection, r.ID)
		case seen.Add(Range{r.ID, r.ID}) == 0:
			return fmt.Errorf("%w: message %d is rejected twice", ErrBadRejection, r.ID)
		case len(r.Reason) > MaxRejectionBytes:
			return fmt.Errorf("%w: the reason for message %d has %d bytes, at most %d are allowed", ErrBadRejection, r.ID, len(r.Reason), MaxRejectionBytes)
		case !utf8.ValidString(r.Reason):
			return fmt.Errorf("%w: the reason for message %d is not valid UTF-8", ErrBadRejection, r.ID)
		}
		for _, c := range r.Reason {
			if unicode.IsControl(c) {
				return fmt.Errorf("%w: the reason for message %d has the control character %U", ErrBadRejection, r.ID, c)
			}
		}
	}
	return nil
}
