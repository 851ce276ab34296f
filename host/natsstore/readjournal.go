package natsstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// Entries implements host.Journals.
func (s *Store) Entries(ctx context.Context, journal string, before uint64, limit int) ([]host.Entry, error) {
	t := s.journalTable(journal)
	c, h, err := t.loadHead(ctx, journal)
	if err != nil {
		return nil, err
	}
	if before == 0 || before > h.last {
		before = h.last + 1
	}
	var numbers []uint64
	for n := before - 1; n >= h.first && n > 0 && len(numbers) < limit; n-- {
		numbers = append(numbers, n)
	}
	slices.Reverse(numbers)
	all, err := t.entries(ctx, journal, "*", numbers, c.seq)
	slices.Reverse(all)
	return all, err
}

// EntriesOf implements host.Journals.
func (s *Store) EntriesOf(ctx context.Context, journal, key string, limit int) ([]host.Entry, error) {
	t := s.journalTable(journal)
	c, h, err := t.loadHead(ctx, journal)
	if err != nil || h.last == 0 {
		return nil, err
	}
	numbers, err := t.numbers(ctx, journal, key, h.first)
	if err != nil {
		return nil, fmt.Errorf("journal %q: %w", journal, err)
	}
	return t.entries(ctx, journal, keyHash(key), numbers[:min(limit, len(numbers))], c.seq)
}

func (t *table) loadHead(ctx context.Context, journal string) (*cell, *head, error) {
	c, err := t.load(ctx, headKey(journal))
	if err == nil {
		var h *head
		if h, err = t.store.headOf(c); err == nil {
			return c, h, nil
		}
	}
	return nil, nil, fmt.Errorf("journal %q: %w", journal, err)
}

// entries returns the entries with the given numbers, in ascending order. The hash
// is that of their key, or "*". One that was pruned meanwhile is left out.
func (t *table) entries(ctx context.Context, journal, hash string, numbers []uint64, notBefore uint64) (all []host.Entry, err error) {
	var subjects []string
	for _, n := range numbers {
		subjects = append(subjects, t.subject(entryKey(journal, hash, n)))
	}
	found, err := t.store.lastOf(ctx, t.stream, subjects, notBefore, func(subject string) string {
		parts := strings.Split(subject, ".")
		parts[len(parts)-2] = hash
		return strings.Join(parts, ".")
	})
	if err != nil {
		return nil, fmt.Errorf("journal %q: %w", journal, err)
	}
	for i, subject := range subjects {
		m := found[subject]
		if m == nil {
			if _, h, err := t.loadHead(ctx, journal); err != nil {
				return nil, err
			} else if h.first > numbers[i] {
				continue
			}
			return nil, fmt.Errorf("entry %d of journal %q: %w", numbers[i], journal, errMissing)
		}
		c, err := t.decode(m)
		if err == nil {
			err = t.complete(ctx, c)
		}
		var e host.Entry
		if err == nil {
			e, err = decodeEntry(c)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d of journal %q: %w", numbers[i], journal, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// pruneStep is how many entries are looked at together when they are pruned.
const pruneStep = 500

// PruneEntries implements host.Journals. First the head says that they are gone,
// then they are deleted. If that is interrupted the next time goes on with it.
func (s *Store) PruneEntries(ctx context.Context, journal string, before time.Time, limit int) (pruned int, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	t := s.journalTable(journal)
	c, h, err := t.loadHead(ctx, journal)
	if err != nil || h.last == 0 {
		return 0, err
	}
	first, end := h.first, h.first
	for more := true; more && end <= h.last && end-first < uint64(max(limit, 0)); {
		var numbers []uint64
		for n := end; n <= h.last && n-first < uint64(limit) && len(numbers) < pruneStep; n++ {
			numbers = append(numbers, n)
		}
		all, err := t.entries(ctx, journal, "*", numbers, c.seq)
		if err != nil {
			return 0, err
		}
		for _, e := range all {
			if more = e.Time.Before(before); !more {
				break
			}
			end = e.Number + 1
		}
		more = more && len(all) > 0
	}
	if end > first {
		err = t.do(ctx, &change{needs: []string{headKey(journal)}, run: func(c *commit) error {
			pruned = 0
			h, err := c.head(journal, true)
			if err == nil && end > h.first {
				pruned, h.first = int(end-h.first), end
			}
			return err
		}})
		if err != nil {
			return 0, fmt.Errorf("prune journal %q: %w", journal, err)
		}
	}
	if err := t.deletePruned(ctx, journal); err != nil {
		s.log.Warn("pruned entries are deleted later", "journal", journal, "error", err)
	}
	return pruned, nil
}

// deletePruned deletes the entries that the head says are gone.
func (t *table) deletePruned(ctx context.Context, journal string) error {
	_, h, err := t.loadHead(ctx, journal)
	if err != nil || h.purged >= h.first {
		return err
	}
	var filters []string
	for n := h.purged; n < h.first; {
		if n%pageSize == 0 || n == 1 { // there is no number 0
			if next := n - n%pageSize + pageSize; next <= h.first {
				filters = append(filters, t.subject(entryPage(journal, n))+".>")
				n = next
				continue
			}
		}
		page, number := t.subject(entryPage(journal, n)), strconv.FormatUint(n, 10)
		filters = append(filters, page+".*."+number, page+".*."+number+".>")
		n++
	}
	err = each(filters, cleanUpAtOnce, func(filter string) error {
		return t.store.purge(ctx, t.stream, purgeRequest{Filter: filter})
	})
	if err != nil {
		return err
	}
	purged := h.first
	return t.do(ctx, &change{needs: []string{headKey(journal)}, run: func(c *commit) error {
		h, err := c.head(journal, true)
		if err == nil {
			h.purged = max(h.purged, purged)
		}
		return err
	}})
}
