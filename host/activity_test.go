package host_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func openActivities(t testing.TB, store host.Store, c *clock) *host.Activities {
	t.Helper()
	a, err := host.OpenActivities(t.Context(), store, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func flushActivities(t testing.TB, a *host.Activities) {
	t.Helper()
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestActivities(t *testing.T) {
	c := newClock()
	store := &failingStore{Store: openStoreAt(t, c.Now)}
	a := openActivities(t, store, c)
	start := c.Now() // the beginning of an hour
	batch := host.Fetched{IDs: host.NewRanges(1, 3)}

	a.Added("student", 3)
	c.move(time.Minute)
	a.Fetched("student", host.Fetched{}, nil)
	a.Fetched("student", batch, nil)
	c.move(time.Minute)
	a.Fetched("student", batch, nil)
	a.Fetched("student", host.Fetched{}, errors.New("out of order"))
	got := a.Activity("student")
	if got.Unmarked != 2 || !got.UnmarkedSince.Equal(start.Add(time.Minute)) || !got.Asked.Equal(c.Now()) ||
		got.Failure != "out of order" || !got.Failed.Equal(c.Now()) || !got.Added.Equal(start) || !got.Fetched.Equal(c.Now()) {
		t.Errorf("the activity is %+v", got)
	}
	a.Marked("student", 3)
	if got := a.Activity("student"); got.Unmarked != 0 || !got.UnmarkedSince.IsZero() || !got.Marked.Equal(c.Now()) {
		t.Errorf("after the mark the activity is %+v", got)
	}
	if got := a.Activity("nobody"); !got.Asked.IsZero() || got.Hours != nil {
		t.Errorf("the activity of nobody is %+v", got)
	}

	// What can't be written is written later, and known after a restart.
	store.put = errBroken
	if err := a.Flush(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Flush = %v", err)
	}
	store.put = nil
	flushActivities(t, a)
	before := a.Activity("student")
	a = openActivities(t, store, c)
	if got := a.Activity("student"); !got.Marked.Equal(before.Marked) || len(got.Hours) != 1 || got.Hours[0] != (host.ActivityHour{Start: start, Added: 3, Delivered: 3}) {
		t.Errorf("after a restart the activity is %+v, it was %+v", got, before)
	}

	// An hour is forgotten after 25, whether anything happens or not.
	c.move(24*time.Hour - 2*time.Minute)
	if got := a.Activity("student"); len(got.Hours) != 1 {
		t.Errorf("in the 25th hour the hours are %+v", got.Hours)
	}
	a.Added("student", 1)
	if got := a.Activity("student"); len(got.Hours) != 2 {
		t.Errorf("after 24 hours the hours are %+v", got.Hours)
	}
	c.move(time.Hour)
	if got := a.Activity("student"); len(got.Hours) != 1 || got.Hours[0].Added != 1 {
		t.Errorf("after 25 hours the hours are %+v", got.Hours)
	}
	for range 100 {
		a.Added("student", 1)
		c.move(30 * time.Minute)
	}
	if got := a.Activity("student"); len(got.Hours) != host.ActivityHours-1 || got.Hours[0].Added != 2 { // nothing in this hour yet
		t.Errorf("after many hours there are %d: %+v", len(got.Hours), got.Hours)
	}
	c.move(-48 * time.Hour)
	a.Added("student", 7)
	if got := a.Activity("student"); len(got.Hours) != 1 || got.Hours[0].Added != 7 {
		t.Errorf("with the clock set back the hours are %+v", got.Hours)
	}
}

func TestRhythm(t *testing.T) {
	type step struct {
		every time.Duration
		times int
	}
	const day = 24 * time.Hour
	week := []step{{15 * time.Minute, 32}, {16 * time.Hour, 1}} // 8 hours of a working day, and its night
	var weeks []step
	for range 2 {
		for range 5 {
			weeks = append(weeks, week...)
		}
		weeks = append(weeks, step{2 * day, 1})
	}
	for name, c := range map[string]struct {
		steps   []step
		longest time.Duration
		known   bool
	}{
		"nobody":                       {nil, 0, false},
		"three visits":                 {[]step{{time.Hour, 3}}, 0, false},
		"four pauses":                  {[]step{{time.Hour, 5}}, time.Hour, true},
		"every ten seconds for a day":  {[]step{{10 * time.Second, 8641}}, time.Minute, true},
		"every ten seconds for a bit":  {[]step{{10 * time.Second, 8000}}, 0, false},
		"at night, a thousand at once": {[]step{{time.Second, 1000}, {day, 1}, {time.Second, 1000}, {day, 1}, {time.Second, 1000}, {day, 2}, {time.Second, 1000}}, day, true},
		"never on Sundays":             {append(weeks, week...), 2 * day, true},
		"not any more":                 {[]step{{day, 5}, {time.Hour, 20 * 24}}, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			now := newClock()
			a := openActivities(t, openStoreAt(t, now.Now), now)
			now.move(time.Second)
			for _, s := range c.steps {
				for range s.times {
					a.Fetched("g", host.Fetched{}, nil)
					now.move(s.every)
				}
			}
			longest, known := a.Activity("g").Rhythm()
			if known != c.known || known && longest != c.longest {
				t.Errorf("Rhythm = %s, %v, want %s, %v", longest, known, c.longest, c.known)
			}
		})
	}
}

// TestRhythmOverARestart: nobody could come while the daemon was down.
func TestRhythmOverARestart(t *testing.T) {
	c := newClock()
	store := openStoreAt(t, c.Now)
	a := openActivities(t, store, c)
	for range 6 {
		c.move(time.Hour)
		a.Fetched("g", host.Fetched{}, nil)
	}
	flushActivities(t, a)
	c.move(7 * 24 * time.Hour)
	a = openActivities(t, store, c)
	a.Fetched("g", host.Fetched{}, nil)
	c.move(2 * time.Hour)
	a.Fetched("g", host.Fetched{}, nil)
	if longest, known := a.Activity("g").Rhythm(); longest != 2*time.Hour || !known {
		t.Errorf("Rhythm = %s, %v, want 2 hours", longest, known)
	}
}

// TestActivitiesTogether has many tell, ask and write at once.
func TestActivitiesTogether(t *testing.T) {
	c := newClock()
	a := openActivities(t, openStoreAt(t, c.Now), c)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 200 {
				a.Added("g", 1)
				a.Fetched("g", host.Fetched{IDs: host.NewRanges(1, 1)}, nil)
				a.Marked("g", 1)
				_ = a.Activity("g")
			}
		})
		wait.Go(func() {
			if err := a.Flush(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := a.Activity("g").Hours; len(got) != 1 || got[0].Added != 800 || got[0].Delivered != 800 {
		t.Errorf("the hours are %+v", got)
	}
}

// Two daemons see a part each, and both know all of it.
func TestActivitiesOfTwoDaemons(t *testing.T) {
	c := newClock()
	store := newSharedStore(t)
	a, b := openActivities(t, store, c), openActivities(t, store, c)
	start := c.Now() // the beginning of an hour
	batch := host.Fetched{IDs: host.NewRanges(1, 3)}
	a.Added("student", 3)
	a.Fetched("student", batch, nil)
	a.Added("mine", 1)
	c.move(30 * time.Second)
	b.Added("student", 4)
	b.Fetched("student", batch, nil)
	b.Fetched("student", host.Fetched{}, errors.New("out of order"))
	c.move(30 * time.Second)
	b.Fetched("student", batch, nil)
	flushActivities(t, a)
	flushActivities(t, b) // it has nothing to go by but what a wrote
	flushActivities(t, a)
	check := func(step string, want func(host.Activity) bool) {
		t.Helper()
		for who, x := range map[string]*host.Activities{"a": a, "b": b, "the store": openActivities(t, store, c)} {
			if got := x.Activity("student"); !want(got) {
				t.Errorf("%s: %s has %+v", step, who, got)
			}
		}
	}
	check("fetched by both", func(got host.Activity) bool {
		return got.Unmarked == 3 && got.UnmarkedSince.Equal(start) && got.Asked.Equal(start.Add(time.Minute)) && got.Fetched.Equal(got.Asked) &&
			got.Added.Equal(start.Add(30*time.Second)) && got.Failure == "out of order" && got.Visits.Equal(start) &&
			len(got.Hours) == 1 && got.Hours[0].Added == 7 && got.Hours[0].Start.Equal(start)
	})
	if got := b.Activity("mine"); !got.Added.Equal(start) {
		t.Errorf("b has %+v of a group of a", got)
	}

	// A mark here, and a fetch there: whoever marked last knows.
	c.move(time.Second)
	a.Fetched("student", batch, nil)
	c.move(time.Second)
	b.Marked("student", 3)
	c.move(time.Second)
	a.Marked("student", 4)
	a.Fetched("student", batch, nil)
	flushActivities(t, b)
	flushActivities(t, a)
	flushActivities(t, b)
	marked := start.Add(time.Minute + 3*time.Second)
	check("marked by both", func(got host.Activity) bool {
		return got.Unmarked == 1 && got.UnmarkedSince.Equal(marked) && got.Marked.Equal(marked) &&
			len(got.Hours) == 1 && got.Hours[0].Added == 7 && got.Hours[0].Delivered == 7
	})

	// Nothing is counted twice, however often it is written.
	c.move(time.Hour)
	b.Added("student", 1)
	a.Fetched("student", host.Fetched{}, nil)
	for range 3 {
		flushActivities(t, a)
		flushActivities(t, b)
	}
	flushActivities(t, a)
	check("an hour later", func(got host.Activity) bool {
		return len(got.Hours) == 2 && got.Hours[0].Added == 7 && got.Hours[0].Delivered == 7 && got.Hours[1].Added == 1 &&
			len(got.Days) == 1 && got.Days[0].Pauses == 1 && got.Days[0].Longest == time.Hour && got.Visits.Equal(got.Asked)
	})
}

func TestActivitiesWrittenByTwoAtOnce(t *testing.T) {
	c := newClock()
	store := newSharedStore(t)
	a, b := openActivities(t, store, c), openActivities(t, store, c)
	a.Added("g", 2)
	b.Added("g", 3)
	store.before("activity", func() { flushActivities(t, b) })
	flushActivities(t, a)
	if got := openActivities(t, store, c).Activity("g"); len(got.Hours) != 1 || got.Hours[0].Added != 5 {
		t.Errorf("the store has %+v", got)
	}
	// What is seen while it is written is written the next time.
	a.Added("g", 1)
	store.before("activity", func() { a.Added("g", 10) })
	flushActivities(t, a)
	flushActivities(t, a)
	flushActivities(t, b)
	if got := b.Activity("g"); got.Hours[0].Added != 16 {
		t.Errorf("b has %+v", got)
	}
}

// deafStore writes the activity, or does not, and does not say which.
type deafStore struct {
	*sharedStore
	written, deaf bool
}

func (s *deafStore) PutRecord(ctx context.Context, bucket string, r host.Record) (uint64, error) {
	if !s.deaf {
		return s.sharedStore.PutRecord(ctx, bucket, r)
	}
	if s.written {
		if _, err := s.sharedStore.PutRecord(ctx, bucket, r); err != nil {
			return 0, err
		}
	}
	return 0, context.DeadlineExceeded
}

func TestActivitiesWithoutAnAnswer(t *testing.T) {
	for name, written := range map[string]bool{"written": true, "not written": false} {
		for _, meanwhile := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, another meanwhile %v", name, meanwhile), func(t *testing.T) {
				c := newClock()
				store := &deafStore{sharedStore: newSharedStore(t), written: written}
				a, b := openActivities(t, store, c), openActivities(t, store.sharedStore, c)
				a.Added("g", 1)
				flushActivities(t, a)
				a.Added("g", 2)
				store.deaf = true
				if err := a.Flush(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("Flush = %v", err)
				}
				a.Added("g", 4)
				if meanwhile {
					b.Added("g", 8)
					flushActivities(t, b)
				}
				if err := a.Flush(t.Context()); err == nil {
					t.Fatal("Flush did not fail")
				}
				store.deaf = false
				flushActivities(t, a)
				want := uint64(7)
				if meanwhile {
					want = 15
				}
				for who, x := range map[string]*host.Activities{"a": a, "the store": openActivities(t, store.sharedStore, c)} {
					if got := x.Activity("g"); len(got.Hours) != 1 || got.Hours[0].Added != want {
						t.Errorf("%s has %+v, want %d", who, got.Hours, want)
					}
				}
			})
		}
	}
}
