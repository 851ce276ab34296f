package natsstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/restante/restante/host"
)

// entries are entries with copies of what the caller has.
type entries []host.JournalEntry

func encodeEntries(all []host.JournalEntry) (entries, error) {
	var copied entries
	for _, e := range all {
		if err := checkEntry(e.Journal, e.Entry); err != nil {
			return nil, err
		}
		e.Value = slices.Clone(e.Value)
		copied = append(copied, e)
	}
	return copied, nil
}

// of returns those that are in a table, and the others.
func (all entries) of(s *Store, t *table) (here, elsewhere entries) {
	for _, e := range all {
		if s.journalTable(e.Journal) == t {
			here = append(here, e)
		} else {
			elsewhere = append(elsewhere, e)
		}
	}
	return here, elsewhere
}

func (all entries) heads() (keys []string) {
	for _, e := range all {
		if key := headKey(e.Journal); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (all entries) bytes() (n int) {
	for _, e := range all {
		n += len(e.Value) + 500
	}
	return n
}

// head returns the head of a journal, which may be changed if the commit changes it.
func (c *commit) head(journal string, change bool) (*head, error) {
	found, err := c.get(headKey(journal))
	if err != nil {
		return nil, err
	}
	h, err := c.table.store.headOf(found)
	if err != nil || !change || c.changed(found.key) {
		return h, err
	}
	copied := *h
	c.set(&cell{key: found.key, decoded: &copied})
	return &copied, nil
}

func (s *Store) headOf(c *cell) (*head, error) {
	s.decoding.Lock()
	defer s.decoding.Unlock()
	if h, ok := c.decoded.(*head); ok {
		return h, nil
	}
	h, err := decodeHead(c.value)
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", c.key, err)
	}
	c.decoded = h
	return h, nil
}

func (c *commit) appendEntry(journal string, e host.Entry) (uint64, error) {
	h, err := c.head(journal, true)
	if err != nil {
		return 0, err
	}
	h.last++
	if now := c.table.store.now().UTC(); now.After(h.time) {
		h.time = now
	}
	e.Number, e.Time = h.last, h.time
	c.add(entryKey(journal, keyHash(e.Key), e.Number), encodeEntry(e))
	return e.Number, nil
}

func (c *commit) appendEntries(all entries) error {
	for _, e := range all {
		if _, err := c.head(e.Journal, false); err != nil {
			return err // before anything is changed
		}
	}
	for _, e := range all {
		if _, err := c.appendEntry(e.Journal, e.Entry); err != nil {
			return err
		}
	}
	return nil
}

// AppendEntry implements host.Journals.
func (s *Store) AppendEntry(ctx context.Context, journal string, e host.Entry, once bool) (uint64, error) {
	all, err := encodeEntries([]host.JournalEntry{{Journal: journal, Entry: e}})
	if err != nil {
		return 0, err
	}
	var number uint64
	err = s.journalTable(journal).do(ctx, &change{
		needs: all.heads(), messages: 2, bytes: all.bytes(),
		run: func(c *commit) error {
			if once {
				found, err := c.firstOf(journal, e.Key)
				if number = found; found > 0 || err != nil {
					return err
				}
			}
			number, err = c.appendEntry(journal, all[0].Entry)
			return err
		}})
	if err != nil {
		return 0, fmt.Errorf("append to journal %q: %w", journal, err)
	}
	return number, nil
}

// firstOf returns the number of the first entry with a key, or 0. The head is looked
// at, and so is known to be the same, when the leader is asked.
func (c *commit) firstOf(journal, key string) (uint64, error) {
	h, err := c.head(journal, false)
	if err != nil {
		return 0, err
	}
	suffix := "." + keyHash(key) + "."
	for _, m := range c.added {
		at := strings.TrimPrefix(m.Subject, c.table.root+".")
		// Pieces of a large entry have more parts.
		if strings.HasPrefix(at, "j."+encodeToken(journal)+".") && strings.Contains(at, suffix) && strings.Count(at, ".") == 4 {
			return numberIn(at), nil
		}
	}
	// Pruned entries may still be there, so the first one is not enough.
	numbers, err := c.table.numbers(c.ctx, journal, key, h.first)
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	return numbers[0], nil
}

// numbers returns the numbers of the entries with a key, in ascending order.
func (t *table) numbers(ctx context.Context, journal, key string, from uint64) ([]uint64, error) {
	filter := t.subject("j." + encodeToken(journal) + ".*." + keyHash(key) + ".*")
	subjects, _, err := t.store.subjects(ctx, t.stream, filter)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, subject := range subjects {
		if n := numberIn(subject); n >= from {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// AppendEntries implements host.Journals. Entries of journals that are in different
// tables are in different commits.
func (s *Store) AppendEntries(ctx context.Context, all ...host.JournalEntry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	copied, err := encodeEntries(all)
	if err != nil {
		return err
	}
	return s.appendEntries(ctx, copied)
}

func (s *Store) appendEntries(ctx context.Context, all entries) error {
	for len(all) > 0 {
		t, n := s.journalTable(all[0].Journal), 1
		for n < len(all) && n < maxCommitMessages && all[:n].bytes() < maxCommitBytes && s.journalTable(all[n].Journal) == t {
			n++
		}
		some := all[:n]
		all = all[n:]
		err := t.do(ctx, &change{needs: some.heads(), messages: 2 * len(some), bytes: some.bytes(),
			run: func(c *commit) error { return c.appendEntries(some) }})
		if err != nil {
			return fmt.Errorf("append to journal %q: %w", some[0].Journal, err)
		}
	}
	return nil
}
