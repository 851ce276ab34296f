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
