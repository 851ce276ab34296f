package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// Fill puts a little of everything into a store, and leaves gaps.
func Fill(t testing.TB, s host.Store) {
	t.Helper()
	ctx := t.Context()
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	addNumbers(t, s, "g", 10)
	for key, values := range map[string][]string{"k1": {"[ 1 ]"}, "k2": {`"ä\u00e4\n"`, "12345678901234567890.10"}} {
		_, err := s.Append(ctx, addition("g", key, values...))
		try(err)
	}
	move(t, s, "g", "1-4,6,9", host.Read, 6)
	move(t, s, "g", "7", host.Held, 1)
	pruned, err := s.Prune(ctx, "g", time.Now().Add(1000*time.Hour), 5)
	if err != nil || pruned != 5 {
		t.Fatalf("Prune = %d, %v", pruned, err)
	}
	addNumbers(t, s, "emptied", 3)
	move(t, s, "emptied", "1-3", host.Read, 3)
	_, err = s.Prune(ctx, "emptied", time.Now().Add(1000*time.Hour), 5)
	try(err)
	addNumbers(t, s, "many", 2500)
	for _, key := range []string{"x", "y"} {
		_, err = s.PutRecord(ctx, "b", host.Record{Key: key, Value: []byte("value of " + key)})
		try(err)
	}
	for i := range 12 {
		_, err = s.AppendEntry(ctx, "j/g", entry(fmt.Sprint("k", i%3), fmt.Sprint("v", i)), false)
		try(err)
	}
	_, err = s.PruneEntries(ctx, "j/g", time.Now().Add(1000*time.Hour), 5)
	try(err)
	_, err = s.AppendEntry(ctx, "over", entry("k", "v"), false)
	try(err)
	_, err = s.PruneEntries(ctx, "over", time.Now().Add(1000*time.Hour), 5)
	try(err)
	for seed := range uint64(3) {
		sum, body := noise(seed, 10_000)
		try(s.PutBody(ctx, "g", sum, body))
	}
}

// RunCopying tests what a store offers to be copied. Open returns a new and empty
// store, which it closes when t ends.
func RunCopying(t *testing.T, open func(t testing.TB) Opened) {
	t.Run("Inventory", func(t *testing.T) { testInventory(t, open(t).A.(host.Copying)) })
	t.Run("Restore", func(t *testing.T) { testRestore(t, open(t)) })
	t.Run("RestoreRefuses", func(t *testing.T) { testRestoreRefuses(t, open(t).A.(host.Copying)) })
}

func testInventory(t *testing.T, s host.Copying) {
	Fill(t, s)
	ctx := t.Context()
	has, err := s.Inventory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(has.Groups)
	slices.Sort(has.Buckets)
	slices.Sort(has.Bodies)
	want := "[emptied g many] [b] map[j/g:12 over:1] [g]"
	if got := fmt.Sprint(has.Groups, has.Buckets, has.Journals, has.Bodies); got != want {
		t.Errorf("Inventory = %s, want %s", got, want)
	}
	state, err := s.State(ctx, "g")
	if err != nil {
		t.Fatal(err)
	}
	if c := count(t, s, "g"); state.Counts() != c {
		t.Errorf("State counts %+v, Counts says %+v", state.Counts(), c)
	}
	known, err := s.Known(ctx, "g", "k2")
	if want := addition("g", "", `"ä\u00e4\n"`, "12345678901234567890.10"); err != nil || known.Count != 2 || known.Digest != want.Digest() {
		t.Errorf("Known = %+v, %v", known, err)
	}
	if ids, err := s.Added(ctx, "g", "k2"); err != nil || known.Last() != known.First+1 || !ids.Contains(known.Last()) {
		t.Errorf("Known ends with %d, and Added says %s, %v", known.Last(), ids, err)
	}
	if _, err := s.Known(ctx, "g", "k9"); !errors.Is(err, host.ErrNoRecord) {
		t.Errorf("Known of nothing = %v", err)
	}
	stored, err := s.Stored(ctx, "g")
	if err != nil || len(stored) != 3 {
		t.Fatalf("Stored = %d bodies, %v, want 3", len(stored), err)
	}
	for seed := range uint64(3) {
		if sum, _ := noise(seed, 10_000); stored[seed].Sum != sum {
			t.Errorf("body %d is out of order", seed)
		}
	}
}

// testRestore puts in what another store might have.
func testRestore(t *testing.T, o Opened) {
	s, ctx := o.A.(host.Copying), t.Context()
	at := time.Date(2019, 2, 15, 10, 32, 1, 987654321, time.UTC)
	message := func(id host.ID, data, key string) host.RestoredMessage {
		return host.RestoredMessage{Message: host.Message{ID: id, Time: at.Add(time.Duration(id) * time.Second), Data: []byte(data), Key: key}}
	}
	var state host.State
	state.Append(9, at)
	state.Time = at.Add(9 * time.Second)
	state.Move(host.NewRanges(1, 2, 5, 6), host.Read)
	state.Move(host.NewRanges(7), host.Held)
	state.Forget(host.NewRanges(1, 2, 5))
	state.Skip(host.Range{First: 9, Last: 9})
	a := addition("g", "key", "[3]", "[4]")
	last := message(4, "[4]", "key")
	last.Known = &host.KnownKey{First: 3, Count: 2, Digest: a.Digest()}
	sum, body := noise(1, 1000)
	for _, err := range []error{
		s.RestoreMessages(ctx, "g", []host.RestoredMessage{message(3, "[3]", "key"), last}),
		s.RestoreMessages(ctx, "g", []host.RestoredMessage{message(6, "6", ""), message(7, "7", ""), message(8, "8", "")}),
		s.RestoreState(ctx, "g", state),
		s.RestoreEntries(ctx, "j", 0, []host.Entry{{Number: 6, Time: at, Key: "a", Value: []byte("6")}, {Number: 7, Time: at, Key: "b", Value: []byte("7")}}),
		s.RestoreEntries(ctx, "j", 7, nil),
		s.RestoreEntries(ctx, "over", 9, nil),
		s.RestoreBody(ctx, "g", host.StoredBody{Sum: sum, Put: at}, body),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Check(); err != nil {
		t.Errorf("the store is not consistent: %v", err)
	}
	for _, h := range []host.Store{o.A, o.B} {
		wantCounts(t, h, "g", host.Counts{Last: 9, Unread: 3, Read: 1, Held: 1})
		wantIDs(t, "Unread of what was restored", unread(t, h, "g", 10), 3, 4, 8)
		wantIDs(t, "List of what was restored", list(t, h, 0, 10), 8, 7, 6, 4, 3)
		m, err := h.Message(ctx, "g", 6)
		if want := at.Add(6 * time.Second); err != nil || !m.Time.Equal(want) || string(m.Data) != "6" {
			t.Errorf("message 6 is %s of %v, %v, want 6 of %v", m.Data, m.Time, err, want)
		}
		all, err := h.Entries(ctx, "j", 0, 10)
		if err != nil || numbers(all) != "7 6" || !all[1].Time.Equal(at) || all[0].Key != "b" {
			t.Errorf("the journal has %+v, %v", all, err)
		}
		if got, err := h.Body(ctx, "g", sum); err != nil || string(got) != string(body) {
			t.Errorf("Body = %d bytes, %v", len(got), err)
		}
	}
	ids, err := o.B.Append(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "Append with a key that was restored", ids, 3, 4)
	wantIDs(t, "Append after what was restored", add(t, o.B, "g", "10"), 10)
	for journal, want := range map[string]uint64{"j": 8, "over": 10} {
		if number, err := o.B.AppendEntry(ctx, journal, entry("c", "next"), false); err != nil || number != want {
			t.Errorf("AppendEntry to %q after what was restored = %d, %v, want %d", journal, number, err, want)
		}
	}
	stored, err := s.Stored(ctx, "g")
	if err != nil || len(stored) != 1 || !stored[0].Put.Equal(at) {
		t.Errorf("Stored = %v, %v, want %v", stored, err, at)
	}
}

func testRestoreRefuses(t *testing.T, s host.Copying) {
	ctx := t.Context()
	addNumbers(t, s, "g", 3)
	move(t, s, "g", "1", host.Read, 1)
	if _, err := s.AppendEntry(ctx, "j", entry("k", "v"), false); err != nil {
		t.Fatal(err)
	}
	var state host.State
	state.Append(3, time.Now())
	message := func(id host.ID) host.RestoredMessage {
		return host.RestoredMessage{Message: host.Message{ID: id, Time: time.Now(), Data: []byte("1")}}
	}
	for what, err := range map[string]error{
		"a message":         s.RestoreMessages(ctx, "g", []host.RestoredMessage{message(2)}),
		"the state":         s.RestoreState(ctx, "g", state),
		"an entry":          s.RestoreEntries(ctx, "j", 0, []host.Entry{{Number: 1, Time: time.Now()}}),
		"messages reversed": s.RestoreMessages(ctx, "h", []host.RestoredMessage{message(2), message(1)}),
	} {
		if !errors.Is(err, host.ErrNotEmpty) {
			t.Errorf("restoring %s over what is there = %v, want ErrNotEmpty", what, err)
		}
	}
}
