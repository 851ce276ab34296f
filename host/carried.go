package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
)

const (
	// carriedBlock is how many ids share a key of the index of deliveries by
	// message.
	carriedBlock = 4096
	// maxCarried is how many deliveries of one block are looked at.
	maxCarried = 100_000
)

// carriedJournal is the journal that says which deliveries carried a message. A
// delivery has an entry for every block of ids that it has messages of; the key is
// the block's number.
func carriedJournal(g GroupName) string { return "carried/" + string(g) }

func carriedKey(id ID) string { return strconv.FormatUint(uint64(id/carriedBlock), 10) }

// carried is an entry of that journal.
type carried struct {
	// IDs are the messages within the block.
	IDs      string `json:"ids"`
	Delivery string `json:"delivery"`
}

// carriedEntries returns the entries for a delivery.
func carriedEntries(g GroupName, ids Ranges, delivery string) (entries []JournalEntry, err error) {
	for block, ids := range blocks(ids) {
		value, err := json.Marshal(carried{IDs: ids.String(), Delivery: delivery})
		if err != nil {
			return nil, err
		}
		entries = append(entries, JournalEntry{Journal: carriedJournal(g), Entry: Entry{Key: block, Value: value}})
	}
	return entries, nil
}

// blocks yields the ids of each block in ascending order.
func blocks(ids Ranges) iter.Seq2[string, Ranges] {
	return func(yield func(string, Ranges) bool) {
		var part Ranges
		var key string
		for r := range ids.All() {
			for r.First <= r.Last {
				end := min(r.Last, r.First/carriedBlock*carriedBlock+carriedBlock-1)
				if k := carriedKey(r.First); k != key {
					if part.Count() > 0 && !yield(key, part) {
						return
					}
					part, key = Ranges{}, k
				}
				part.Add(Range{r.First, end})
				r.First = end + 1
			}
		}
		if part.Count() > 0 {
			yield(key, part)
		}
	}
}

// Carrying returns the deliveries that carried a message, newest first and at most
// limit.
func (d *Deliveries) Carrying(ctx context.Context, g GroupName, id ID, limit int) ([]ListedDelivery, error) {
	entries, err := d.store.EntriesOf(ctx, carriedJournal(g), carriedKey(id), maxCarried)
	if err != nil {
		return nil, err
	}
	var all []ListedDelivery
	for _, e := range slices.Backward(entries) {
		if len(all) == limit {
			break
		}
		var c carried
		if err := json.Unmarshal(e.Value, &c); err != nil {
			return nil, fmt.Errorf("%w: entry %d of %q: %w", ErrDamaged, e.Number, carriedJournal(g), err)
		}
		if ids, err := ParseRanges(c.IDs); err != nil || !ids.Contains(id) {
			continue
		}
		if slices.ContainsFunc(all, func(l ListedDelivery) bool { return l.ID == c.Delivery }) {
			continue // recorded by two daemons at the same time
		}
		delivery, err := d.find(ctx, g, c.Delivery)
		if errors.Is(err, ErrNoRecord) {
			continue // the daemon was killed before it recorded the rest, or it is pruned
		}
		if err != nil {
			return nil, err
		}
		all = append(all, delivery)
	}
	return all, nil
}
