package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func list(t testing.TB, s host.Store, before host.ID, limit int, only ...host.Status) []host.ID {
	t.Helper()
	all, err := s.List(t.Context(), "g", before, limit, only...)
	if err != nil {
		t.Fatalf("List(%d, %d) = %v", before, limit, err)
	}
	return listedIDs(all)
}

func testList(t *testing.T, s Opened) {
	wantIDs(t, "List of an unknown group", list(t, s.A, 0, 5))
	addNumbers(t, s.A, "g", 7)
	move(t, s.A, "g", "6", host.Read, 1)
	move(t, s.A, "g", "5", host.Held, 1)
	wantIDs(t, "List from the newest", list(t, s.B, 0, 3), 7, 6, 5)
	wantIDs(t, "List before 5", list(t, s.B, 5, 3), 4, 3, 2)
	wantIDs(t, "List before 2", list(t, s.B, 2, 3), 1)
	wantIDs(t, "List before 1", list(t, s.B, 1, 3))
	wantIDs(t, "List before one that does not exist yet", list(t, s.B, 99, 1), 7)
	wantIDs(t, "List of the unread", list(t, s.A, 0, 3, host.Unread), 7, 4, 3)
	wantIDs(t, "List of the unread before 4", list(t, s.B, 4, 9, host.Unread), 3, 2, 1)
	wantIDs(t, "List of the held", list(t, s.A, 0, 3, host.Held), 5)
	wantIDs(t, "List of the held before 5", list(t, s.A, 5, 3, host.Held))
	wantIDs(t, "List of the read and the held", list(t, s.B, 0, 3, host.Read, host.Held, host.Read), 6, 5)
	for id, want := range map[host.ID]host.Status{7: host.Unread, 6: host.Read, 5: host.Held} {
		m, err := s.A.Message(t.Context(), "g", id)
		if err != nil || m.Status != want || m.ID != id || string(m.Data) != string('0'+rune(id)) {
			t.Errorf("Message(%d) = %+v, %v, want status %s", id, m, err, want)
		}
	}
	for _, id := range []host.ID{0, 8, host.MaxID} {
		if _, err := s.A.Message(t.Context(), "g", id); !errors.Is(err, host.ErrNoMessage) {
			t.Errorf("Message(%d) = %v, want ErrNoMessage", id, err)
		}
	}
}

// testListBytes lists more data than one list may have.
func testListBytes(t *testing.T, s Opened) {
	large := `"` + strings.Repeat("x", host.MaxMessageBytes-2) + `"`
	for range host.MaxBatchBytes/host.MaxMessageBytes + 1 {
		add(t, s.A, "g", large)
	}
	add(t, s.A, "g", "6")
	wantIDs(t, "List of large messages", list(t, s.B, 0, 100), 6, 5, 4, 3)
	wantIDs(t, "List of the rest", list(t, s.A, 3, 100), 2, 1)
}

func testCountIn(t *testing.T, s Opened) {
	want := func(text string, want host.Counts) {
		t.Helper()
		ids, err := host.ParseRanges(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.B.CountIn(t.Context(), "g", ids); err != nil || got != want {
			t.Errorf("CountIn(%s) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	want("1-9", host.Counts{})
	addNumbers(t, s.A, "g", 10)
	move(t, s.A, "g", "1-4,9", host.Read, 5)
	move(t, s.A, "g", "6", host.Held, 1)
	if n, err := s.A.Prune(t.Context(), "g", s.now(t).Add(time.Hour), 2); err != nil || n != 2 {
		t.Fatalf("Prune = %d, %v", n, err)
	}
	want("2-6,9", host.Counts{Last: 10, Unread: 1, Read: 3, Held: 1})
	want("1-2,10-20,30", host.Counts{Last: 10, Unread: 1})
	want("1-9223372036854775807", host.Counts{Last: 10, Unread: 4, Read: 3, Held: 1})
}

func testAt(t *testing.T, s Opened) {
	var times []time.Time
	at := func(t1 time.Time, want host.ID) {
		t.Helper()
		if id, err := s.B.At(t.Context(), "g", t1); err != nil || id != want {
			t.Errorf("At(%v) = %d, %v, want %d", t1, id, err, want)
		}
	}
	at(time.Time{}, 0)
	for range 5 {
		ids := add(t, s.A, "g", "1", "2")
		m, err := s.A.Message(t.Context(), "g", ids[1])
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, m.Time)
		s.Move(time.Hour)
	}
	at(time.Time{}, 1)
	for i, t1 := range times {
		first := host.ID(2*i + 1)
		at(t1, first)
		at(t1.Add(-1), first)
		at(t1.Add(1), (first+2)%11)
	}
	move(t, s.A, "g", "5-6", host.Read, 2)
	if n, err := s.A.Prune(t.Context(), "g", s.now(t), 10); err != nil || n != 2 {
		t.Fatalf("Prune = %d, %v", n, err)
	}
	at(times[2], 7)
	at(times[1], 3)
}

func testAdded(t *testing.T, s Opened) {
	added := func(g host.GroupName, key, want string) {
		t.Helper()
		if ids, err := s.B.Added(t.Context(), g, key); err != nil || ids.String() != want {
			t.Errorf("Added(%q) = %q, %v, want %q", key, ids, err, want)
		}
	}
	added("g", "k", "")
	for _, a := range []host.Addition{addition("g", "", "1"), addition("g", "k", "2", "3", "4"), addition("g", "l", "5")} {
		if _, err := s.A.Append(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	added("g", "k", "2-4")
	added("g", "l", "5")
	added("g", "", "")
	added("h", "k", "")
	move(t, s.A, "g", "1-5", host.Read, 5)
	for _, want := range []string{"2-4", "2-4", "2-4", ""} {
		if n, err := s.A.Prune(t.Context(), "g", s.now(t).Add(time.Hour), 1); err != nil || n != 1 {
			t.Fatalf("Prune = %d, %v", n, err)
		}
		added("g", "k", want)
	}
}

func testPrune(t *testing.T, s Opened) {
	prune := func(before time.Time, limit int, want uint64) {
		t.Helper()
		n, err := s.B.Prune(t.Context(), "g", before, limit)
		if err != nil || n != want {
			t.Errorf("Prune(%d) = %d, %v, want %d", limit, n, err, want)
		}
	}
	prune(time.Now().Add(time.Hour), 9, 0)
	if _, err := s.A.Append(t.Context(), addition("g", "old", "1", "2")); err != nil {
		t.Fatal(err)
	}
	add(t, s.A, "g", "3", "4", "5")
	old, err := s.A.Message(t.Context(), "g", 5)
	if err != nil {
		t.Fatal(err)
	}
	s.Move(time.Hour)
	add(t, s.A, "g", "6", "7")
	move(t, s.A, "g", "1-2,4,6-7", host.Read, 5)
	cut := old.Time.Add(time.Minute)
	prune(cut, 1, 1)
	if ids, err := s.A.Append(t.Context(), addition("g", "old", "1", "2")); err != nil || len(ids) != 2 || ids[0] != 1 {
		t.Errorf("Append with a key whose last message is still stored = %v, %v, want the first ids", ids, err)
	}
	prune(cut, 10, 2)
	prune(cut, 10, 0)
	wantCounts(t, s.A, "g", host.Counts{Last: 7, Unread: 2, Read: 2})
	wantIDs(t, "List after pruning", list(t, s.B, 0, 9), 7, 6, 5, 3)
	wantIDs(t, "Unread after pruning", unread(t, s.A, "g", 9), 3, 5)
	move(t, s.A, "g", "1-7", host.Unread, 2)
	move(t, s.A, "g", "1-7", host.Read, 4)
	ids, err := s.A.Append(t.Context(), addition("g", "old", "1", "2"))
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "Append with the key of pruned messages", ids, 8, 9)
}
