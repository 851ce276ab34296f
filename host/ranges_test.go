package host

import (
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// idSet is the plainest set of ids.
type idSet map[ID]bool

func drawRange(t *rapid.T) Range {
	first := rapid.Uint64Range(0, 40).Draw(t, "first")
	return Range{ID(first), ID(first + rapid.Uint64Range(0, 12).Draw(t, "more"))}
}

func TestRangesAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Ranges
		model := idSet{}
		change := func(t *rapid.T, op func(Range) uint64, to bool) {
			r := drawRange(t)
			got, want := op(r), uint64(0)
			for id := r.First; r.First > 0 && id <= r.Last; id++ {
				if model[id] != to {
					want++
				}
				model[id] = to
			}
			if got != want {
				t.Fatalf("changing %v = %d, want %d", r, got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add":    func(t *rapid.T) { change(t, s.Add, true) },
			"remove": func(t *rapid.T) { change(t, s.Remove, false) },
			"clone": func(t *rapid.T) {
				c := s.Clone()
				c.Add(drawRange(t))
				c.Remove(drawRange(t))
			},
			"": func(t *rapid.T) { compareRanges(t, s, model) },
		})
	})
}

func compareRanges(t *rapid.T, s Ranges, model idSet) {
	var want []ID
	for id := ID(0); id < 60; id++ {
		if model[id] {
			want = append(want, id)
		}
		if s.Contains(id) != model[id] {
			t.Fatalf("%s.Contains(%d) = %v", s, id, !model[id])
		}
	}
	if got := slices.Collect(s.IDs()); !slices.Equal(got, want) || s.Count() != uint64(len(want)) {
		t.Fatalf("the set is %v with count %d, want %v", got, s.Count(), want)
	}
	end := ID(0)
	for r := range s.All() {
		if end > 0 && r.First <= end+1 || r.Last < r.First {
			t.Fatalf("%s is not sorted, disjoint and apart", s)
		}
		end = r.Last
	}
	b, _ := s.AppendBinary([]byte{9})
	back, rest, err := decodeRanges(append(b[1:], 7))
	if err != nil || !slices.Equal(back.list, s.list) || back.count != s.count || !slices.Equal(rest, []byte{7}) {
		t.Fatalf("%s came back from bytes as %s, %v", s, back, err)
	}
	if s.Count() > 0 {
		if back, err := ParseRanges(s.String()); err != nil || !slices.Equal(back.list, s.list) {
			t.Fatalf("%s came back from text as %s, %v", s, back, err)
		}
	}
}

func TestRangesAtTheEnds(t *testing.T) {
	var s Ranges
	for _, c := range []struct {
		r    Range
		want uint64
	}{
		{Range{0, 5}, 0},
		{Range{5, 4}, 0},
		{Range{MaxID + 1, MaxID + 1}, 0},
		{Range{1, MaxID + 1}, 0},
		{Range{MaxID, MaxID}, 1},
		{Range{1, 1}, 1},
		{Range{1, MaxID}, uint64(MaxID) - 2},
	} {
		if got := s.Add(c.r); got != c.want {
			t.Errorf("Add(%v) = %d, want %d", c.r, got, c.want)
		}
	}
	if s.Count() != uint64(MaxID) || len(s.list) != 1 {
		t.Errorf("all ids are %d ranges of %d ids", len(s.list), s.Count())
	}
	b, _ := s.AppendBinary(nil)
	if back, _, err := decodeRanges(b); err != nil || back.Count() != s.Count() {
		t.Errorf("all ids came back as %s, %v", back, err)
	}
}

func TestParseRangesRefuses(t *testing.T) {
	for _, text := range []string{"", "0", "x", "3-1", "1-", "-1", "1,,2", "1-2-3", "9223372036854775808", "1.5"} {
		if s, err := ParseRanges(text); err == nil {
			t.Errorf("ParseRanges(%q) = %s", text, s)
		}
	}
	if s, err := ParseRanges(" 4-6, 1,2 ,5"); err != nil || s.String() != "1-2,4-6" {
		t.Errorf("ParseRanges = %s, %v", s, err)
	}
}

func FuzzDecodeRanges(f *testing.F) {
	for _, s := range []Ranges{{}, NewRanges(1), NewRanges(1, 2, 3, 9, 12), {list: []Range{{1, MaxID}}}} {
		b, _ := s.AppendBinary(nil)
		f.Add(b)
	}
	f.Add([]byte{1, 0x80, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, rest, err := decodeRanges(b)
		if err != nil {
			return
		}
		again, _ := s.AppendBinary(nil)
		if !slices.Equal(again, b[:len(b)-len(rest)]) {
			t.Errorf("%x decodes to %s, which encodes to %x", b, s, again)
		}
	})
}

func TestStateCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := State{Last: ID(rapid.Uint64Range(0, 50).Draw(t, "last"))}
		status := map[ID]Status{}
		for id := ID(1); id <= s.Last; id++ {
			status[id] = Unread
		}
		set := func(t *rapid.T) (set Ranges) {
			set.Add(drawRange(t))
			set.Add(drawRange(t))
			return set
		}
		t.Repeat(map[string]func(*rapid.T){
			"move": func(t *rapid.T) {
				ids, to := set(t), Status(rapid.IntRange(0, 2).Draw(t, "to"))
				want := uint64(0)
				for id := range ids.IDs() {
					if was, ok := status[id]; ok && was != to {
						status[id] = to
						want++
					}
				}
				if got := s.Move(ids, to); got != want {
					t.Fatalf("Move(%s, %s) = %d, want %d", ids, to, got, want)
				}
			},
			"forget": func(t *rapid.T) {
				for id := range s.Forget(set(t)).IDs() {
					if status[id] != Read {
						t.Fatalf("message %d was forgotten, but it is %s", id, status[id])
					}
					delete(status, id)
				}
			},
			"skip": func(t *rapid.T) {
				first := s.Last + ID(rapid.IntRange(1, 3).Draw(t, "first"))
				r := Range{first, first + ID(rapid.IntRange(0, 3).Draw(t, "more"))}
				if r.Last > 80 {
					return
				}
				for id := s.Last + 1; id < first; id++ {
					status[id] = Unread
				}
				s.Skip(r)
			},
			"": func(t *rapid.T) { compareState(t, s, status) },
		})
	})
}

func compareState(t *rapid.T, s State, status map[ID]Status) {
	var counts [3]uint64
	var unread []ID
	for id := ID(0); id <= s.Last+2; id++ {
		want, ok := status[id]
		if got, gotOK := s.Status(id); got != want || gotOK != ok {
			t.Fatalf("Status(%d) = %s, %v, want %s, %v", id, got, gotOK, want, ok)
		}
		if ok {
			counts[want]++
			if want == Unread {
				unread = append(unread, id)
			}
		}
	}
	if got, want := s.Counts(), (Counts{s.Last, counts[Unread], counts[Read], counts[Held]}); got != want {
		t.Fatalf("Counts = %+v, want %+v", got, want)
	}
	var stored []ID
	for r := range s.Stored(Range{0, MaxID}) {
		for id := r.First; id <= r.Last; id++ {
			stored = append(stored, id)
		}
	}
	if want := slices.Sorted(maps.Keys(status)); !slices.Equal(stored, want) {
		t.Fatalf("Stored = %v, want %v", stored, want)
	}
	var got Ranges
	for r := range s.Unread() {
		got.Add(r)
	}
	if ids := slices.Collect(got.IDs()); !slices.Equal(ids, unread) {
		t.Fatalf("Unread = %v, want %v", ids, unread)
	}
	b, _ := s.AppendBinary(nil)
	var back State
	if err := back.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if again, _ := back.AppendBinary(nil); !slices.Equal(again, b) {
		t.Fatalf("the state came back as other bytes")
	}
}

func FuzzUnmarshalState(f *testing.F) {
	s := State{Last: 20}
	s.Move(NewRanges(1, 2, 5), Read)
	s.Move(NewRanges(7), Held)
	s.Forget(NewRanges(2))
	b, _ := s.AppendBinary(nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s State
		if s.UnmarshalBinary(b) != nil {
			return
		}
		c := s.Counts()
		if c.Unread > math.MaxInt64 || s.Check() != nil {
			t.Errorf("%x decodes to an impossible state, %+v", b, c)
		}
	})
}
