package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func testAppend(t *testing.T, s Opened) {
	wantCounts(t, s.A, "g", host.Counts{})
	wantIDs(t, "Unread of an unknown group", unread(t, s.A, "g", 10))
	const number = `{"n":12345678901234567890.10,"s":"ä\u00e4"}`
	before := time.Now().Add(-time.Minute)
	wantIDs(t, "Append", add(t, s.A, "g", number), 1)
	wantIDs(t, "Append", add(t, s.B, "g", "[]", `"x"`), 2, 3)
	wantIDs(t, "Append to another group", add(t, s.A, "h", "true"), 1)
	wantCounts(t, s.B, "g", host.Counts{Last: 3, Unread: 3})
	all, err := s.B.Unread(t.Context(), "g", 10, host.MaxBatchBytes)
	if err != nil || len(all) != 3 {
		t.Fatalf("Unread = %d messages, %v, want 3", len(all), err)
	}
	if string(all[0].Data) != number || string(all[1].Data) != "[]" || string(all[2].Data) != `"x"` {
		t.Errorf("Unread gave other bytes than were added: %v", all)
	}
	for _, m := range all {
		if m.Time.Before(before) || m.Time.Location() != time.UTC {
			t.Errorf("message %d has the time %v, want about now in UTC", m.ID, m.Time)
		}
	}
}

func testAppendMany(t *testing.T, s Opened) {
	large := `"` + strings.Repeat("x", host.MaxMessageBytes-2) + `"`
	add(t, s.A, "g", large)
	addNumbers(t, s.A, "g", host.MaxAddition)
	wantCounts(t, s.B, "g", host.Counts{Last: host.MaxAddition + 1, Unread: host.MaxAddition + 1})
	m, err := s.B.Message(t.Context(), "g", 1)
	if err != nil || string(m.Data) != large {
		t.Errorf("the largest message came back with %d bytes, %v, want %d", len(m.Data), err, len(large))
	}
}

func testIdempotencyKeys(t *testing.T, s Opened) {
	for _, h := range []host.Store{s.A, s.B, s.A} {
		ids, err := h.Append(t.Context(), addition("g", "k1", "1", "2"))
		if err != nil {
			t.Fatal(err)
		}
		wantIDs(t, "Append with a key", ids, 1, 2)
	}
	if _, err := s.B.Append(t.Context(), addition("g", "k1", "1", "3")); !errors.Is(err, host.ErrKeyReused) {
		t.Errorf("Append of other data with the key = %v, want ErrKeyReused", err)
	}
	ids, err := s.B.Append(t.Context(), addition("h", "k1", "9"))
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "Append to another group with the key", ids, 1)
	wantCounts(t, s.A, "g", host.Counts{Last: 2, Unread: 2})
	m, err := s.A.Message(t.Context(), "g", 2)
	if err != nil || m.Key != "k1" {
		t.Errorf("Message(2).Key = %q, %v, want k1", m.Key, err)
	}
	// Many at once with one key add one message.
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			ids, err := []host.Store{s.A, s.B}[i%2].Append(t.Context(), addition("g", "k2", "5"))
			if err != nil || !slices.Equal(ids, []host.ID{3}) {
				t.Errorf("Append with a key by many at once = %v, %v, want [3]", ids, err)
			}
		})
	}
	wait.Wait()
	wantCounts(t, s.A, "g", host.Counts{Last: 3, Unread: 3})
}

func testUnreadLimits(t *testing.T, s Opened) {
	addNumbers(t, s.A, "g", 20)
	wantIDs(t, "Unread(3)", unread(t, s.B, "g", 3), 1, 2, 3)
	for _, c := range []struct{ bytes, want int }{{0, 1}, {1, 1}, {2, 2}, {9, 9}, {10, 9}, {11, 10}} {
		all, err := s.A.Unread(t.Context(), "g", 1000, c.bytes)
		if err != nil || len(all) != c.want {
			t.Errorf("Unread with %d bytes = %d messages, %v, want %d", c.bytes, len(all), err, c.want)
		}
	}
}

func testMove(t *testing.T, s Opened) {
	addNumbers(t, s.A, "g", 10)
	move(t, s.A, "g", "1-4", host.Read, 4)
	move(t, s.B, "g", "1-4", host.Read, 0)
	move(t, s.B, "g", "3-6", host.Read, 2)
	move(t, s.A, "g", "8", host.Held, 1)
	move(t, s.A, "g", "8", host.Held, 0)
	wantIDs(t, "Unread", unread(t, s.B, "g", 10), 7, 9, 10)
	wantCounts(t, s.A, "g", host.Counts{Last: 10, Read: 6, Held: 1, Unread: 3})
	move(t, s.B, "g", "2,8", host.Unread, 2)
	wantIDs(t, "Unread after making 2 and 8 unread", unread(t, s.A, "g", 10), 2, 7, 8, 9, 10)
	move(t, s.A, "g", "8", host.Held, 1)
	move(t, s.A, "g", "1-10", host.Read, 5)
	wantCounts(t, s.B, "g", host.Counts{Last: 10, Read: 10})
	move(t, s.A, "g", "1-10", host.Unread, 10)
	wantIDs(t, "Unread after making all unread", unread(t, s.B, "g", 4), 1, 2, 3, 4)
}

func testMoveMissing(t *testing.T, s Opened) {
	move(t, s.A, "nobody", "1-5", host.Read, 0)
	addNumbers(t, s.A, "g", 3)
	move(t, s.A, "g", fmt.Sprintf("3-%d", host.MaxID), host.Read, 1)
	move(t, s.A, "g", "4-9", host.Held, 0)
	wantIDs(t, "Append after ids beyond the last were marked", add(t, s.A, "g", "4"), 4)
	wantIDs(t, "Unread", unread(t, s.B, "g", 9), 1, 2, 4)
	if _, after, err := s.A.Move(t.Context(), "g", host.Ranges{}, host.Read); err != nil || after.Unread != 3 {
		t.Errorf("Move of nothing = %+v, %v, want 3 unread", after, err)
	}
}

func testStillUnread(t *testing.T, s Opened) {
	addNumbers(t, s.A, "g", 3)
	want := func(h host.Store, want bool, ids ...host.ID) {
		t.Helper()
		if got, err := h.StillUnread(t.Context(), "g", host.NewRanges(ids...)); err != nil || got != want {
			t.Errorf("StillUnread(%v) = %v, %v, want %v", ids, got, err, want)
		}
	}
	want(s.B, true, 1, 2, 3)
	move(t, s.A, "g", "2", host.Read, 1)
	want(s.B, false, 1, 2, 3)
	want(s.B, true, 1, 3)
	add(t, s.A, "g", "4")
	want(s.B, true, 1, 3, 4)
	move(t, s.B, "g", "3", host.Held, 1)
	want(s.A, false, 3)
	move(t, s.B, "g", "2,3", host.Unread, 2)
	want(s.A, true, 1, 2, 3, 4)
	move(t, s.A, "g", "1-4", host.Read, 4)
	for i := 0; ; i++ { // it may say once that it has to look again
		if still, err := s.B.StillUnread(t.Context(), "g", host.Ranges{}); err != nil || i == 3 {
			t.Fatalf("StillUnread of nothing = %v, %v", still, err)
		} else if still {
			break
		}
	}
}

func testWatch(t *testing.T, s Opened) {
	changed, stop := s.B.Watch("g")
	defer stop()
	awaken := func(what string, do func()) {
		t.Helper()
		select {
		case <-changed: // an old hint
		default:
		}
		do()
		select {
		case <-changed:
		case <-time.After(10 * time.Second):
			t.Errorf("%s woke no watcher", what)
		}
	}
	awaken("Append", func() { add(t, s.A, "g", "1") })
	move(t, s.A, "g", "1", host.Read, 1)
	awaken("making a message unread", func() { move(t, s.A, "g", "1", host.Unread, 1) })
	stop()
	add(t, s.A, "g", "2")
}

func testClockGoesBack(t *testing.T, s Opened) {
	add(t, s.A, "g", "1")
	s.Move(-time.Hour)
	add(t, s.A, "g", "2")
	all, err := s.A.Unread(t.Context(), "g", 2, 100)
	if err != nil || len(all) != 2 || all[1].Time.Before(all[0].Time) {
		t.Errorf("after the clock went back the times are %v, %v, want them in order", all, err)
	}
}

func testReopen(t *testing.T, s Opened) {
	addNumbers(t, s.A, "g", 10)
	move(t, s.A, "g", "1-3,7", host.Read, 4)
	move(t, s.A, "g", "5", host.Held, 1)
	if _, err := s.A.Append(t.Context(), addition("g", "key", "11")); err != nil {
		t.Fatal(err)
	}
	revision, err := s.A.PutRecord(t.Context(), "b", host.Record{Key: "k", Value: []byte("v")})
	if err != nil {
		t.Fatal(err)
	}
	before := count(t, s.A, "g")
	s = s.Reopen()
	wantCounts(t, s.A, "g", before)
	wantIDs(t, "Unread after reopening", unread(t, s.B, "g", 99), 4, 6, 8, 9, 10, 11)
	ids, err := s.B.Append(t.Context(), addition("g", "key", "11"))
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "Append with a key from before", ids, 11)
	wantIDs(t, "Append after reopening", add(t, s.A, "g", "12"), 12)
	if r, err := s.A.Record(t.Context(), "b", "k"); err != nil || string(r.Value) != "v" || r.Revision != revision {
		t.Errorf("Record after reopening = %q at %d, %v, want v at %d", r.Value, r.Revision, err, revision)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func testConcurrentAppends(t *testing.T, s Opened) {
	const writers, each = 16, 25
	var mu sync.Mutex
	got := map[host.ID]string{}
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			last := host.ID(0)
			for i := range each {
				value := fmt.Sprintf(`{"w":%d,"i":%d}`, w, i)
				ids, err := []host.Store{s.A, s.B}[w%2].Append(t.Context(), addition("g", "", value))
				if err != nil || len(ids) != 1 || ids[0] <= last {
					t.Errorf("Append = %v, %v after %d", ids, err, last)
					return
				}
				last = ids[0]
				mu.Lock()
				got[last] = value
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	all, err := s.A.Unread(t.Context(), "g", writers*each+1, host.MaxBatchBytes)
	if err != nil || len(all) != writers*each {
		t.Fatalf("Unread = %d messages, %v, want %d", len(all), err, writers*each)
	}
	for _, m := range all {
		if string(m.Data) != got[m.ID] {
			t.Errorf("message %d is %s, but its writer was told so of %s", m.ID, m.Data, got[m.ID])
		}
	}
}

func testConcurrentMarks(t *testing.T, s Opened) {
	const n = 200
	addNumbers(t, s.A, "g", n)
	var mu sync.Mutex
	total := uint64(0)
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			for first := host.ID(1); first <= n; first += 10 {
				ids := host.NewRanges(first, first+5, first+9)
				moved, _, err := []host.Store{s.A, s.B}[w%2].Move(t.Context(), "g", ids, host.Read)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				total += moved
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if want := uint64(n / 10 * 3); total != want || count(t, s.B, "g").Read != want {
		t.Errorf("%d messages were counted as marked and %d are read, want %d", total, count(t, s.B, "g").Read, want)
	}
}

func testCancelledContext(t *testing.T, s Opened) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.A.Append(ctx, addition("g", "", "1")); !errors.Is(err, context.Canceled) {
		t.Errorf("Append with a cancelled context = %v", err)
	}
	if _, _, err := s.A.Move(ctx, "g", host.NewRanges(1), host.Read); !errors.Is(err, context.Canceled) {
		t.Errorf("Move with a cancelled context = %v", err)
	}
	wantCounts(t, s.B, "g", host.Counts{})
}

func testCallersBytes(t *testing.T, s Opened) {
	data := []byte(`"one"`)
	if _, err := s.A.Append(t.Context(), host.Addition{Group: "g", Data: []json.RawMessage{data}}); err != nil {
		t.Fatal(err)
	}
	copy(data, `"two"`)
	for range 2 {
		all, err := s.A.Unread(t.Context(), "g", 1, 100)
		if err != nil || string(all[0].Data) != `"one"` {
			t.Fatalf("Unread = %v, %v, want the bytes that were added", all, err)
		}
		copy(all[0].Data, `"six"`)
	}
}

func testClosed(t *testing.T, s Opened) {
	add(t, s.A, "g", "1")
	for range 2 {
		if err := errors.Join(s.A.Close(), s.B.Close()); err != nil {
			t.Fatalf("Close = %v", err)
		}
	}
	_, appendErr := s.A.Append(t.Context(), addition("g", "", "2"))
	_, unreadErr := s.A.Unread(t.Context(), "g", 1, 1)
	_, recordErr := s.A.Record(t.Context(), "b", "k")
	for _, err := range []error{appendErr, unreadErr, recordErr} {
		if !errors.Is(err, host.ErrClosed) {
			t.Errorf("a call of a closed store = %v, want ErrClosed", err)
		}
	}
}
