package natsstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/restante/restante/host"
)

// Inventory implements host.Copying.
func (s *Store) Inventory(ctx context.Context) (all host.Inventory, err error) {
	all.Journals = map[string]uint64{}
	if all.Groups, err = s.listGroups(ctx); err != nil {
		return all, err
	}
	for _, t := range s.tables {
		buckets, err := s.second(ctx, t, "r.*.*")
		if err != nil {
			return all, err
		}
		all.Buckets = append(all.Buckets, buckets...)
		journals, err := s.second(ctx, t, "h.*")
		if err != nil {
			return all, err
		}
		for _, journal := range journals {
			_, h, err := t.loadHead(ctx, journal)
			if err != nil {
				return all, err
			}
			all.Journals[journal] = h.last
		}
	}
	bodies, err := s.second(ctx, s.bodies, "b.*.*")
	for _, g := range bodies {
		all.Bodies = append(all.Bodies, host.GroupName(g))
	}
	return all, err
}

// second returns the second parts of the cells of a table that match a pattern, each
// once and sorted.
func (s *Store) second(ctx context.Context, t *table, pattern string) (all []string, err error) {
	subjects, _, err := s.subjects(ctx, t.stream, t.subject(pattern))
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		key := strings.TrimPrefix(subject, t.root+".")
		name, err := decodeToken(strings.Split(key, ".")[1])
		if err != nil {
			return nil, fmt.Errorf("%s of the stream %s: %w: %w", subject, t.stream, host.ErrDamaged, err)
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// State implements host.Copying.
func (s *Store) State(ctx context.Context, g host.GroupName) (host.State, error) {
	v, err := s.view(ctx, g)
	if err != nil {
		return host.State{}, err
	}
	return v.Clone(), nil
}

// Known implements host.Copying.
func (s *Store) Known(ctx context.Context, g host.GroupName, key string) (known host.KnownKey, err error) {
	l, _, err := s.findKey(ctx, g, key)
	if err == nil && l == nil {
		err = host.ErrNoRecord
	}
	if err != nil {
		return known, err
	}
	known.First, known.Count = l.first, l.count
	if n, err := hex.Decode(known.Digest[:], []byte(l.digest)); err != nil || n != len(known.Digest) {
		return known, fmt.Errorf("idempotency key %q of %q: %w", key, g, errMalformed)
	}
	return known, nil
}

// Stored implements host.Copying.
func (s *Store) Stored(ctx context.Context, g host.GroupName) (all []host.StoredBody, err error) {
	cells, err := s.bodies.list(ctx, bodyKey(g, "*"))
	if err != nil {
		return nil, fmt.Errorf("bodies of %q: %w", g, err)
	}
	slices.SortFunc(cells, func(a, b *cell) int { return int(int64(a.seq) - int64(b.seq)) })
	for _, c := range cells {
		if c.gone {
			continue
		}
		var b host.StoredBody
		n, err := hex.Decode(b.Sum[:], []byte(c.key[strings.LastIndexByte(c.key, '.')+1:]))
		if err == nil && n == len(b.Sum) {
			b.Put, _, err = decodeBodyValue(c.value)
		} else {
			err = errMalformed
		}
		if err != nil {
			return nil, fmt.Errorf("bodies of %q: %s: %w", g, c.key, err)
		}
		all = append(all, b)
	}
	return all, nil
}
