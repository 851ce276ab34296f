package storetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func entry(key, value string) host.Entry { return host.Entry{Key: key, Value: []byte(value)} }

func testJournals(t *testing.T, s Opened) {
	ctx := t.Context()
	if all, err := s.A.Entries(ctx, "j", 0, 10); err != nil || len(all) != 0 {
		t.Errorf("Entries of no journal = %v, %v", all, err)
	}
	for i, key := range []string{"a", "b", "a", "", "ab"} {
		number, err := []host.Store{s.A, s.B}[i%2].AppendEntry(ctx, "j", entry(key, fmt.Sprint("v", i+1)), false)
		if err != nil || number != uint64(i+1) {
			t.Fatalf("AppendEntry %d = %d, %v", i+1, number, err)
		}
		s.Move(time.Second)
	}
	if _, err := s.A.AppendEntry(ctx, "other", entry("a", "x"), false); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		before uint64
		limit  int
		want   string
	}{{0, 10, "5 4 3 2 1"}, {0, 2, "5 4"}, {4, 2, "3 2"}, {1, 5, ""}, {99, 1, "5"}} {
		all, err := s.B.Entries(ctx, "j", c.before, c.limit)
		if got := numbers(all); err != nil || got != c.want {
			t.Errorf("Entries(before %d, limit %d) = %s, %v, want %s", c.before, c.limit, got, err, c.want)
		}
		for i := 1; i < len(all); i++ {
			if all[i].Time.After(all[i-1].Time) {
				t.Errorf("entry %d is from after entry %d", all[i].Number, all[i-1].Number)
			}
		}
	}
	for key, want := range map[string]string{"a": "1 3", "b": "2", "": "4", "ab": "5", "none": ""} {
		all, err := s.A.EntriesOf(ctx, "j", key, 10)
		if got := numbers(all); err != nil || got != want {
			t.Errorf("EntriesOf(%q) = %s, %v, want %s", key, got, err, want)
		}
		for _, e := range all {
			if e.Key != key || string(e.Value) != fmt.Sprint("v", e.Number) {
				t.Errorf("EntriesOf(%q) has %+v", key, e)
			}
		}
	}
	if number, err := s.B.AppendEntry(ctx, "j", entry("a", "again"), true); err != nil || number != 1 {
		t.Errorf("AppendEntry once more = %d, %v, want 1", number, err)
	}
	if number, err := s.A.AppendEntry(ctx, "j", entry("new", "v6"), true); err != nil || number != 6 {
		t.Errorf("AppendEntry once = %d, %v, want 6", number, err)
	}
	for name, e := range map[string]host.Entry{
		"long key": entry(strings.Repeat("x", host.MaxEntryKeyBytes+1), ""), "NUL": entry("a\x00b", ""), "large": entry("a", strings.Repeat("x", host.MaxEntryBytes+1)),
	} {
		if _, err := s.A.AppendEntry(ctx, "j", e, false); err == nil {
			t.Errorf("%s: the entry is accepted", name)
		}
	}
}

func testAppendEntries(t *testing.T, s Opened) {
	ctx := t.Context()
	in := func(journal, key, value string) host.JournalEntry {
		return host.JournalEntry{Journal: journal, Entry: entry(key, value)}
	}
	if err := s.A.AppendEntries(ctx, in("j", "a", "1"), in("k", "a", "1"), in("j", "b", "2"), in("j", "a", "3")); err != nil {
		t.Fatal(err)
	}
	if err := s.B.AppendEntries(ctx); err != nil {
		t.Errorf("AppendEntries of nothing = %v", err)
	}
	if err := s.B.AppendEntries(ctx, in("j", "c", "4"), in("j", "c", strings.Repeat("x", host.MaxEntryBytes+1))); !errors.Is(err, host.ErrTooLarge) {
		t.Errorf("AppendEntries of a large one = %v", err)
	}
	for journal, want := range map[string]string{"j": "3 2 1", "k": "1"} {
		all, err := s.B.Entries(ctx, journal, 0, 10)
		if got := numbers(all); err != nil || got != want {
			t.Errorf("Entries(%q) = %s, %v, want %s", journal, got, err, want)
		}
		for _, e := range all {
			if string(e.Value) != fmt.Sprint(e.Number) || e.Time.IsZero() {
				t.Errorf("journal %q has %+v", journal, e)
			}
		}
	}
	if all, err := s.A.EntriesOf(ctx, "j", "a", 10); err != nil || numbers(all) != "1 3" {
		t.Errorf("EntriesOf = %s, %v", numbers(all), err)
	}
}

func testPruneEntries(t *testing.T, s Opened) {
	ctx := t.Context()
	var middle time.Time
	for i := range 10 {
		if _, err := s.A.AppendEntry(ctx, "j", entry("k", fmt.Sprint(i)), false); err != nil {
			t.Fatal(err)
		}
		if i == 4 {
			all, err := s.A.Entries(ctx, "j", 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			middle = all[0].Time
		}
		s.Move(time.Hour)
	}
	for _, want := range []int{3, 1, 0} {
		if n, err := s.B.PruneEntries(ctx, "j", middle, 3); err != nil || n != want {
			t.Errorf("PruneEntries = %d, %v, want %d", n, err, want)
		}
	}
	all, err := s.A.EntriesOf(ctx, "j", "k", 100)
	if got := numbers(all); err != nil || got != "5 6 7 8 9 10" {
		t.Errorf("after pruning there are %s, %v", got, err)
	}
	s = s.Reopen()
	if n, err := s.A.PruneEntries(ctx, "j", middle.Add(1000*time.Hour), 100); err != nil || n != 6 {
		t.Errorf("PruneEntries of all = %d, %v", n, err)
	}
	if number, err := s.A.AppendEntry(ctx, "j", entry("k", ""), true); err != nil || number != 11 {
		t.Errorf("AppendEntry after all were pruned = %d, %v, want 11", number, err)
	}
}

// testEntriesRace has many append the same keys once.
func testEntriesRace(t *testing.T, s Opened) {
	const workers, keys = 8, 25
	var wait sync.WaitGroup
	got := make([][]uint64, workers)
	for w := range workers {
		wait.Go(func() {
			h := []host.Store{s.A, s.B}[w%2]
			for k := range keys {
				number, err := h.AppendEntry(t.Context(), "j", entry(fmt.Sprint("k", k), fmt.Sprint(w)), true)
				if err != nil {
					t.Error(err)
					return
				}
				got[w] = append(got[w], number)
			}
		})
	}
	wait.Wait()
	for w := range got {
		if !slices.Equal(got[w], got[0]) {
			t.Errorf("worker %d got the numbers %v, worker 0 got %v", w, got[w], got[0])
		}
	}
	if all, err := s.A.Entries(t.Context(), "j", 0, 1000); err != nil || len(all) != keys {
		t.Errorf("there are %d entries, %v, want %d", len(all), err, keys)
	}
}

func numbers(all []host.Entry) string {
	var text []string
	for _, e := range all {
		text = append(text, fmt.Sprint(e.Number))
	}
	return strings.Join(text, " ")
}

// noise returns bytes that can't be compressed, the same for the same seed.
func noise(seed uint64, n int) (host.Sum, []byte) {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = r.Read(b)
	return sha256.Sum256(b), b
}

func testBodies(t *testing.T, s Opened) {
	ctx := t.Context()
	if _, err := s.A.Body(ctx, "g", host.Sum{1}); !errors.Is(err, host.ErrNoBody) {
		t.Errorf("Body of nothing = %v", err)
	}
	texts := [][]byte{nil, []byte("a"), bytes.Repeat([]byte("long "), 1<<20)}
	_, large := noise(1, 3<<20)
	for _, body := range append(texts, large) {
		sum := host.Sum(sha256.Sum256(body))
		for _, h := range []host.Store{s.A, s.B} {
			if err := h.PutBody(ctx, "g", sum, body); err != nil {
				t.Fatal(err)
			}
		}
	}
	s = s.Reopen()
	for _, body := range append(texts, large) {
		got, err := s.B.Body(ctx, "g", sha256.Sum256(body))
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("Body of %d bytes = %d bytes, %v", len(body), len(got), err)
		}
	}
	if _, err := s.A.Body(ctx, "other", sha256.Sum256(large)); !errors.Is(err, host.ErrNoBody) {
		t.Errorf("Body of another group = %v", err)
	}
}

func testPruneBodies(t *testing.T, s Opened) {
	ctx := t.Context()
	start := s.now(t)
	put := func(seed uint64) {
		t.Helper()
		sum, body := noise(seed, 10_000)
		if err := s.A.PutBody(ctx, "g", sum, body); err != nil {
			t.Fatal(err)
		}
		s.Move(24 * time.Hour)
	}
	kept := func(want ...uint64) {
		t.Helper()
		var got []uint64
		for seed := range uint64(10) {
			sum, _ := noise(seed, 10_000)
			if _, err := s.B.Body(ctx, "g", sum); err == nil {
				got = append(got, seed)
			} else if !errors.Is(err, host.ErrNoBody) {
				t.Error(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the bodies %v are kept, want %v", got, want)
		}
	}
	for seed := range uint64(5) {
		put(seed)
	}
	put(0) // now the newest
	prune := func(before time.Time, maxBytes int64, limit, want int) {
		t.Helper()
		if n, err := s.B.PruneBodies(ctx, "g", before, maxBytes, limit); err != nil || n != want {
			t.Errorf("PruneBodies = %d, %v, want %d", n, err, want)
		}
	}
	prune(start, 1<<30, 10, 0)
	kept(0, 1, 2, 3, 4)
	prune(start.Add(60*time.Hour), 1<<30, 10, 2) // those of the second and third day
	kept(0, 3, 4)
	prune(start, 25_000, 1, 1)
	kept(0, 4)
	prune(start, 25_000, 10, 0)
	prune(start, 0, 10, 2)
	kept()
}
