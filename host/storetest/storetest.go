package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// Opened is one store, open through two handles.
type Opened struct {
	A, B host.Store
	// Reopen closes both handles and opens the store again. The old handles
	// can't be used any more.
	Reopen func() Opened
	// Check returns what is wrong with the stored data, by the store's own
	// means.
	Check func() error
	// Move lets the store's clock go forward, or back.
	Move func(time.Duration)
}

// now returns the time of the store's clock.
func (s Opened) now(t testing.TB) time.Time {
	t.Helper()
	number, err := s.A.AppendEntry(t.Context(), "clock", host.Entry{}, false)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.A.Entries(t.Context(), "clock", number+1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return all[0].Time
}

// Run runs the suite. Open returns a new and empty store, which it closes when
// t ends.
func Run(t *testing.T, open func(t testing.TB) Opened) {
	for name, test := range map[string]func(*testing.T, Opened){
		"Append":             testAppend,
		"AppendMany":         testAppendMany,
		"IdempotencyKeys":    testIdempotencyKeys,
		"UnreadLimits":       testUnreadLimits,
		"StillUnread":        testStillUnread,
		"Move":               testMove,
		"MoveMissing":        testMoveMissing,
		"List":               testList,
		"ListBytes":          testListBytes,
		"CountIn":            testCountIn,
		"At":                 testAt,
		"Added":              testAdded,
		"Prune":              testPrune,
		"Watch":              testWatch,
		"ClockGoesBack":      testClockGoesBack,
		"Records":            testRecords,
		"RecordsRace":        testRecordsRace,
		"Journals":           testJournals,
		"AppendEntries":      testAppendEntries,
		"PruneEntries":       testPruneEntries,
		"EntriesRace":        testEntriesRace,
		"Bodies":             testBodies,
		"PruneBodies":        testPruneBodies,
		"Reopen":             testReopen,
		"ConcurrentAppends":  testConcurrentAppends,
		"ConcurrentMarks":    testConcurrentMarks,
		"CancelledContext":   testCancelledContext,
		"CallersBytesAreHis": testCallersBytes,
		"Closed":             testClosed,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			test(t, s)
			if err := s.Check(); err != nil && !errors.Is(err, host.ErrClosed) {
				t.Errorf("the store is not consistent: %v", err)
			}
		})
	}
	t.Run("Model", func(t *testing.T) { testModel(t, open) })
}

// add appends values to a group and returns their ids.
func add(t testing.TB, s host.Store, g host.GroupName, values ...string) []host.ID {
	t.Helper()
	ids, err := s.Append(t.Context(), addition(g, "", values...))
	if err != nil {
		t.Fatalf("Append(%s, %d values) = %v", g, len(values), err)
	}
	return ids
}

func addition(g host.GroupName, key string, values ...string) host.Addition {
	a := host.Addition{Group: g, Key: key}
	for _, v := range values {
		a.Data = append(a.Data, json.RawMessage(v))
	}
	return a
}

// addNumbers appends the values 1 to n.
func addNumbers(t testing.TB, s host.Store, g host.GroupName, n int) {
	t.Helper()
	var values []string
	for i := range n {
		values = append(values, fmt.Sprint(i+1))
	}
	add(t, s, g, values...)
}

func unread(t testing.TB, s host.Store, g host.GroupName, limit int) []host.ID {
	t.Helper()
	all, err := s.Unread(t.Context(), g, limit, host.MaxBatchBytes)
	if err != nil {
		t.Fatalf("Unread(%s, %d) = %v", g, limit, err)
	}
	return idsOf(all)
}

func idsOf(all []host.Message) []host.ID {
	ids := []host.ID{}
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	return ids
}

func listedIDs(all []host.Listed) []host.ID {
	ids := []host.ID{}
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	return ids
}

func wantIDs(t testing.TB, what string, got []host.ID, want ...host.ID) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// move moves the ids of a text such as "1-3,7" and checks the outcome.
func move(t testing.TB, s host.Store, g host.GroupName, ids string, to host.Status, want uint64) {
	t.Helper()
	set, err := host.ParseRanges(ids)
	if err != nil {
		t.Fatal(err)
	}
	moved, after, err := s.Move(t.Context(), g, set, to)
	if err != nil || moved != want {
		t.Errorf("Move(%s, %s, %s) = %d, %v, want %d", g, ids, to, moved, err, want)
	}
	if counts := count(t, s, g); counts != after {
		t.Errorf("Move(%s, %s, %s) says the counts are %+v, Counts says %+v", g, ids, to, after, counts)
	}
}

func count(t testing.TB, s host.Store, g host.GroupName) host.Counts {
	t.Helper()
	c, err := s.Counts(t.Context(), g)
	if err != nil {
		t.Fatalf("Counts(%s) = %v", g, err)
	}
	return c
}

func wantCounts(t testing.TB, s host.Store, g host.GroupName, want host.Counts) {
	t.Helper()
	if got := count(t, s, g); got != want {
		t.Errorf("Counts(%s) = %+v, want %+v", g, got, want)
	}
}
