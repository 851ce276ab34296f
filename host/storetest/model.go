package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/restante/restante/host"
)

// model is the plainest store that could be right.
type model struct {
	data   map[host.ID]string
	status map[host.ID]host.Status
	keys   map[string][]host.ID
	last   host.ID
}

var statuses = []host.Status{host.Unread, host.Read, host.Held}

// testModel does random things to a store and to a model and compares them.
func testModel(t *testing.T, open func(t testing.TB) Opened) {
	rapid.Check(t, func(r *rapid.T) {
		s := open(cleanTB{TB: t, r: r})
		m := &model{data: map[host.ID]string{}, status: map[host.ID]host.Status{}, keys: map[string][]host.ID{}}
		defer func() { s.A.Close(); s.B.Close() }()
		handle := func(r *rapid.T) host.Store { return rapid.SampledFrom([]host.Store{s.A, s.B}).Draw(r, "handle") }
		ids := func(r *rapid.T) (set host.Ranges) {
			for range rapid.IntRange(1, 3).Draw(r, "ranges") {
				first := rapid.Uint64Range(1, uint64(m.last)+2).Draw(r, "first")
				set.Add(host.Range{First: host.ID(first), Last: host.ID(first + rapid.Uint64Range(0, 5).Draw(r, "more"))})
			}
			return set
		}
		r.Repeat(map[string]func(*rapid.T){
			"append": func(r *rapid.T) { m.append(t, r, handle(r)) },
			"move": func(r *rapid.T) {
				set := ids(r)
				to := rapid.SampledFrom(statuses).Draw(r, "to")
				moved, after, err := handle(r).Move(t.Context(), "g", set, to)
				if want := m.move(set, to); err != nil || moved != want || after != m.counts() {
					r.Fatalf("Move(%s, %s) = %d, %+v, %v, want %d, %+v", set, to, moved, after, err, want, m.counts())
				}
			},
			"prune": func(r *rapid.T) {
				limit := rapid.IntRange(1, 5).Draw(r, "limit")
				n, err := handle(r).Prune(t.Context(), "g", time.Now().Add(100_000*time.Hour), limit)
				if want := m.prune(limit); err != nil || n != want {
					r.Fatalf("Prune(%d) = %d, %v, want %d", limit, n, err, want)
				}
			},
			"count": func(r *rapid.T) {
				set := ids(r)
				got, err := handle(r).CountIn(t.Context(), "g", set)
				if want := m.countIn(set); err != nil || got != want {
					r.Fatalf("CountIn(%s) = %+v, %v, want %+v", set, got, err, want)
				}
			},
			"at":     func(r *rapid.T) { m.compareAt(t, r, handle(r)) },
			"clock":  func(r *rapid.T) { s.Move(time.Duration(rapid.IntRange(-2, 5).Draw(r, "minutes")) * time.Minute) },
			"reopen": func(r *rapid.T) { s = s.Reopen() },
			"list":   func(r *rapid.T) { m.compareList(t, r, handle(r)) },
			"": func(r *rapid.T) {
				for _, key := range []string{"k1", "k2", "none"} {
					got, err := handle(r).Added(t.Context(), "g", key)
					if want := host.NewRanges(m.keys[key]...); err != nil || got.String() != want.String() {
						r.Fatalf("Added(%q) = %s, %v, want %s", key, got, err, want)
					}
				}
				m.compare(t, r, handle(r), rapid.IntRange(1, 8).Draw(r, "limit"))
			},
		})
		if err := s.Check(); err != nil {
			r.Fatal(err)
		}
	})
}

// cleanTB lets open use the test for cleanups and its own failures.
type cleanTB struct {
	testing.TB
	r *rapid.T
}

func (c cleanTB) Fatal(args ...any) { c.r.Fatal(args...) }

func (m *model) append(t *testing.T, r *rapid.T, s host.Store) {
	key := rapid.SampledFrom([]string{"", "", "k1", "k2", "k3"}).Draw(r, "key")
	n := rapid.IntRange(1, 3).Draw(r, "n")
	var values []string
	for i := range n {
		values = append(values, fmt.Sprintf("[%d,%q,%d]", i, key, n))
	}
	want := m.keys[key]
	if want != nil && len(want) != n {
		return // the key with other data; a test of its own covers it
	}
	if want == nil {
		for i := range n {
			m.last++
			m.data[m.last], m.status[m.last] = values[i], host.Unread
			want = append(want, m.last)
		}
		if key != "" {
			m.keys[key] = want
		}
	}
	ids, err := s.Append(t.Context(), addition("g", key, values...))
	if err != nil || !slices.Equal(ids, want) {
		r.Fatalf("Append = %v, %v, want %v", ids, err, want)
	}
}

func (m *model) move(set host.Ranges, to host.Status) (moved uint64) {
	for id := range set.IDs() {
		if was, ok := m.status[id]; ok && was != to {
			m.status[id] = to
			moved++
		}
	}
	return moved
}

func (m *model) prune(limit int) (pruned uint64) {
	for id := host.ID(1); id <= m.last && pruned < uint64(limit); id++ {
		if status, ok := m.status[id]; ok && status == host.Read {
			delete(m.status, id)
			pruned++
			for key, ids := range m.keys {
				if ids[len(ids)-1] == id {
					delete(m.keys, key)
				}
			}
		}
	}
	return pruned
}

func (m *model) counts() host.Counts {
	var all host.Ranges
	all.Add(host.Range{First: 1, Last: m.last})
	return m.countIn(all)
}

func (m *model) countIn(ids host.Ranges) host.Counts {
	c := host.Counts{Last: m.last}
	for id, status := range m.status {
		if !ids.Contains(id) {
			continue
		}
		switch status {
		case host.Unread:
			c.Unread++
		case host.Read:
			c.Read++
		case host.Held:
			c.Held++
		}
	}
	return c
}

func (m *model) compare(t *testing.T, r *rapid.T, s host.Store, limit int) {
	if got, err := s.Counts(t.Context(), "g"); err != nil || got != m.counts() {
		r.Fatalf("Counts = %+v, %v, want %+v", got, err, m.counts())
	}
	got, err := s.Unread(t.Context(), "g", limit, host.MaxBatchBytes)
	if err != nil {
		r.Fatal(err)
	}
	want := []host.ID{}
	for id := host.ID(1); id <= m.last && len(want) < limit; id++ {
		if status, ok := m.status[id]; ok && status == host.Unread {
			want = append(want, id)
		}
	}
	if !slices.Equal(idsOf(got), want) {
		r.Fatalf("Unread(%d) = %v, want %v", limit, idsOf(got), want)
	}
	all := m.list(0, int(m.last)+1)
	listed, err := s.List(t.Context(), "g", 0, int(m.last)+1)
	if err != nil || !slices.Equal(listedIDs(listed), all) {
		r.Fatalf("List = %v, %v, want %v", listedIDs(listed), err, all)
	}
	for _, l := range listed {
		if l.Status != m.status[l.ID] || string(l.Data) != m.data[l.ID] {
			r.Fatalf("List has %d as %s %s, want %s %s", l.ID, l.Status, l.Data, m.status[l.ID], m.data[l.ID])
		}
	}
}

// list returns the ids that List should.
func (m *model) list(before host.ID, limit int, only ...host.Status) []host.ID {
	ids := []host.ID{}
	if before == 0 || before > m.last {
		before = m.last + 1
	}
	for id := before - 1; id > 0 && len(ids) < limit; id-- {
		if status, ok := m.status[id]; ok && (len(only) == 0 || slices.Contains(only, status)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// compareList lists a part of the messages.
func (m *model) compareList(t *testing.T, r *rapid.T, s host.Store) {
	before := host.ID(rapid.Uint64Range(0, uint64(m.last)+2).Draw(r, "before"))
	limit := rapid.IntRange(1, 8).Draw(r, "limit")
	only := rapid.SliceOfN(rapid.SampledFrom(statuses), 0, 3).Draw(r, "only")
	listed, err := s.List(t.Context(), "g", before, limit, only...)
	if want := m.list(before, limit, only...); err != nil || !slices.Equal(listedIDs(listed), want) {
		r.Fatalf("List(%d, %d, %v) = %v, %v, want %v", before, limit, only, listedIDs(listed), err, want)
	}
}

// compareAt looks for a time about that of a message.
func (m *model) compareAt(t *testing.T, r *rapid.T, s host.Store) {
	listed, err := s.List(t.Context(), "g", 0, int(m.last)+1)
	if err != nil {
		r.Fatal(err)
	}
	at := time.Now()
	if len(listed) > 0 {
		at = rapid.SampledFrom(listed).Draw(r, "message").Time
	}
	at = at.Add(time.Duration(rapid.IntRange(-1, 1).Draw(r, "more")))
	want := host.ID(0)
	for _, l := range listed {
		if !l.Time.Before(at) {
			want = l.ID
		}
	}
	if id, err := s.At(t.Context(), "g", at); err != nil || id != want {
		r.Fatalf("At(%v) = %d, %v, want %d", at, id, err, want)
	}
}
