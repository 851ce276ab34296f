package host_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// TestTheMessageAtFaultIsFound tries every place in batches of many sizes.
func TestTheMessageAtFaultIsFound(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 7, 16, 100, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p := &stage{version: "1"}
			x := stumbling(t, p, host.FaultBlock, n, host.FaultsConfig{})
			for id := 1; id <= n; id++ {
				p.version = fmt.Sprint(id) // so that all is forgotten
				p.poison = poison(host.ID(id))
				expect(t, "fetch", get(t, x, n), fmt.Sprintf("rejected %d: I don't like %d", id, id))
				expectCalls(t, p, fmt.Sprintf("message %d of %d", id, n), 1, most(n))
				expect(t, "second fetch", get(t, x, n), fmt.Sprintf("rejected %d: I don't like %d", id, id))
				expectCalls(t, p, "second fetch", 0, 0)
			}
			if faults := p.reported(); len(faults) != n || faults[n-1].Held || faults[n-1].Calls > most(n) ||
				faults[n-1].Plugin.Version != fmt.Sprint(n) || faults[n-1].Batch.Count() != uint64(n) || faults[n-1].Rejections[0].ID != host.ID(n) {
				t.Errorf("%d faults were reported, the last is %+v", len(faults), faults[len(faults)-1])
			}
			if p.observed != 2*n {
				t.Errorf("%d fetches were observed, there were %d", p.observed, 2*n)
			}
		})
	}
}

func TestABlockedBatchIsTriedAgain(t *testing.T) {
	p := &stage{version: "1", poison: poison(2)}
	x := stumbling(t, p, host.FaultBlock, 3, host.FaultsConfig{})
	const blocked = "rejected 2: I don't like 2"
	expect(t, "first fetch", get(t, x, 16), blocked)
	expectCalls(t, p, "first fetch", 1, most(3))
	p.later(59 * time.Second)
	expect(t, "within a minute", get(t, x, 16), blocked)
	addText(t, x, "student", "1\n")
	expect(t, "when messages were added", get(t, x, 16), blocked)
	expectCalls(t, p, "within a minute", 0, 0)
	p.later(2 * time.Second)
	expect(t, "after a minute", get(t, x, 16), blocked)
	expectCalls(t, p, "after a minute", 1, most(4))
	if all := p.reported(); len(all) != 2 || all[0].Again || !all[1].Again {
		t.Errorf("the same fault was reported as %+v", all)
	}
	expect(t, "another batch", get(t, x, 1), "1")
	expectCalls(t, p, "another batch", 1, 0)
	if p.cleared != 0 {
		t.Error("the queue was free while the message is still before it")
	}
	p.version = "2"
	p.poison = nil
	expect(t, "another version", get(t, x, 16), "1-4")
	expectCalls(t, p, "another version", 1, 0)
	if p.cleared != 1 {
		t.Errorf("it was told %d times that the queue is free", p.cleared)
	}
	p.poison = poison(2)
	expect(t, "once more", get(t, x, 16), blocked)
	if _, _, err := x.Hold(t.Context(), "student", host.NewRanges(2)); err != nil {
		t.Fatal(err)
	}
	expect(t, "the message held", get(t, x, 16), "1,3-4")
	if p.cleared != 2 {
		t.Errorf("it was told %d times that the queue is free", p.cleared)
	}
	if _, _, err := x.MakeUnread(t.Context(), "student", host.NewRanges(2)); err != nil {
		t.Fatal(err)
	}
	expect(t, "the message released", get(t, x, 16), blocked)
}

func TestNamedMessagesNeedNoSearch(t *testing.T) {
	p := &stage{version: "1", poison: poison(2, 5), names: true}
	x := stumbling(t, p, host.FaultBlock, 16, host.FaultsConfig{})
	for range 2 {
		expect(t, "fetch", get(t, x, 16), "rejected 2: I don't like 2 5: I don't like 5")
	}
	expectCalls(t, p, "two fetches", 1, 0)
	p.foreign, p.version = true, "2"
	expect(t, "a foreign message named", get(t, x, 16), "rejected 2: it rejected messages that are not in the batch")
	expectCalls(t, p, "a foreign message named", 1, most(16))
}

func TestMessagesAtFaultAreHeld(t *testing.T) {
	for _, names := range []bool{false, true} {
		t.Run(fmt.Sprint("names: ", names), func(t *testing.T) {
			p := &stage{version: "1", poison: poison(1, 2, 9, 16, 17), names: names, missing: 0}
			x := stumbling(t, p, host.FaultHold, 20, host.FaultsConfig{})
			want, serves := "3-8,10-15", 2
			if names {
				want, serves = "3-8,10-15,18-20", 3
			}
			expect(t, "fetch", get(t, x, 16), want)
			if n, _ := p.calls(); n != serves {
				t.Errorf("it was asked %d times, want %d", n, serves)
			}
			if p.observed != 1 {
				t.Errorf("%d fetches were observed", p.observed)
			}
			expect(t, "next fetch", get(t, x, 16), "3-8,10-15,18-20")
			counts, err := x.Store.Counts(t.Context(), "student")
			if err != nil || counts.Held != 5 {
				t.Errorf("the counts are %+v, %v", counts, err)
			}
			for _, f := range p.reported() {
				if !f.Held || f.Policy != host.FaultHold || len(f.Rejections) == 0 || !names && f.Calls > most(16) {
					t.Errorf("reported: %+v", f)
				}
			}
			// What is released is tried again, in its place.
			p.poison = nil
			if _, _, err := x.MakeUnread(t.Context(), "student", host.NewRanges(1, 2, 9)); err != nil {
				t.Fatal(err)
			}
			expect(t, "when released", get(t, x, 4), "1-4")
		})
	}
}

func TestAPluginThatRestartsIsWaitedFor(t *testing.T) {
	p := &stage{version: "1", poison: poison(1)}
	p.each = func() { p.missing = 3 } // as if the first call had ended it
	x := stumbling(t, p, host.FaultHold, 3, host.FaultsConfig{})
	expect(t, "fetch", get(t, x, 16), "2-3")
	expectCalls(t, p, "fetch", 2, most(3)+1)
}

func TestABrokenPluginDoesNotSweepAQueue(t *testing.T) {
	p := &stage{version: "1", names: true, poison: map[host.ID]bool{}}
	for id := range 50 {
		p.poison[host.ID(id+1)] = true
	}
	x := stumbling(t, p, host.FaultHold, 60, host.FaultsConfig{MaxHeld: 20})
	const blocked = "more than 20 messages would have been held within 10 minutes"
	if got := get(t, x, 8); !strings.Contains(got, blocked) || !strings.HasPrefix(got, "rejected 17: ") {
		t.Errorf("fetch: %s", got)
	}
	held := func(want uint64) {
		t.Helper()
		if counts, err := x.Store.Counts(t.Context(), "student"); err != nil || counts.Held != want {
			t.Errorf("the counts are %+v, %v, want %d held", counts, err, want)
		}
	}
	held(16)
	p.later(time.Hour)
	if got := get(t, x, 8); !strings.Contains(got, blocked) {
		t.Errorf("after an hour: %s", got)
	}
	held(16)
	if all := p.reported(); len(all) != 4 || all[2].Again || !all[3].Again {
		t.Fatalf("reported: %+v", all)
	}
	if f := p.reported()[2]; f.Held || !strings.Contains(f.Reason, blocked) {
		t.Errorf("reported: %+v", f)
	}
	// Another version gets another chance.
	p.version = "2"
	p.poison = poison(17)
	expect(t, "another version", get(t, x, 8), "18-25")
	held(17)
	if p.cleared != 1 {
		t.Errorf("it was told %d times that the queue is free", p.cleared)
	}
}

func TestABatchThatFailsAsAWhole(t *testing.T) {
	for _, policy := range []host.FaultPolicy{host.FaultBlock, host.FaultHold} {
		t.Run(string(policy), func(t *testing.T) {
			p := &stage{version: "1", fails: func(all []host.Message) bool { return len(all) > 5 }}
			x := stumbling(t, p, policy, 40, host.FaultsConfig{})
			expect(t, "fetch", get(t, x, 16), "1-4")
			expectCalls(t, p, "fetch", 2, most(16))
			expect(t, "next fetch", get(t, x, 16), "1-4")
			expect(t, "a small one", get(t, x, 2), "1-2")
			expectCalls(t, p, "next fetches", 2, 0)
			faults := p.reported()
			if len(faults) != 1 || faults[0].Rejections != nil || !strings.Contains(faults[0].Reason, "messages 1 to 8 can't be formatted together") || faults[0].Batch.String() != "1-16" {
				t.Errorf("reported: %+v", faults)
			}
			p.fails = nil
			p.later(11 * time.Minute)
			expect(t, "after a while", get(t, x, 16), "1-16")
			if p.cleared != 0 {
				t.Error("it was never blocked")
			}
		})
	}
	t.Run("two that do not go together", func(t *testing.T) {
		p := &stage{version: "1", fails: func(all []host.Message) bool {
			return slices.ContainsFunc(all, func(m host.Message) bool { return m.ID == 10 }) && slices.ContainsFunc(all, func(m host.Message) bool { return m.ID == 14 })
		}}
		x := stumbling(t, p, host.FaultBlock, 16, host.FaultsConfig{})
		expect(t, "fetch", get(t, x, 16), "1-8")
	})
}

func TestAFailureThatDoesNotRepeat(t *testing.T) {
	p := &stage{version: "1"}
	x := stumbling(t, p, host.FaultHold, 16, host.FaultsConfig{})
	p.fails = func([]host.Message) bool {
		p.fails = nil
		return true
	}
	expect(t, "fetch", get(t, x, 16), "it failed")
	expectCalls(t, p, "fetch", 1, 1)
	expect(t, "next fetch", get(t, x, 16), "1-16")
	if faults := p.reported(); len(faults) > 0 {
		t.Errorf("reported: %+v", faults)
	}
	p.nobody, p.poison = true, poison(1)
	for range 2 {
		expect(t, "without an understudy", get(t, x, 16), "it failed")
	}
	expectCalls(t, p, "without an understudy", 3, 0)
}

// TestASearchGoesOnWithoutItsPoller has a search take longer than anybody waits.
func TestASearchGoesOnWithoutItsPoller(t *testing.T) {
	p := &stage{version: "1", poison: poison(3), gate: make(chan struct{})}
	begun := make(chan struct{}, 100)
	p.each = func() { begun <- struct{}{} }
	x := stumbling(t, p, host.FaultHold, 4, host.FaultsConfig{Patience: 100 * time.Millisecond})
	const looking = "it failed, and the message at fault is being looked for; try again in a moment"
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	if _, err := x.Fetch(ctx, "student", 16, host.Caller{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a poller that went away = %v", err)
	}
	expect(t, "while it goes on", get(t, x, 16), looking)
	expect(t, "another limit", get(t, x, 1), looking)
	if serves, _ := p.calls(); serves != 1 {
		t.Errorf("while it goes on: %d calls", serves)
	}
	close(p.gate)
	for get(t, x, 16) == looking {
		runtime.Gosched()
	}
	expect(t, "when it is over", get(t, x, 16), "1-2,4")

	p.mu.Lock()
	p.poison, p.version, p.gate = poison(4), "2", make(chan struct{})
	p.mu.Unlock()
	from := time.Now()
	expect(t, "a poller that waits", get(t, x, 16), looking)
	if took := time.Since(from); took < 100*time.Millisecond {
		t.Errorf("it waited for %s", took)
	}
	x.Faults.Close() // in the middle of it
	expect(t, "after the end", get(t, x, 16), "it failed")
}

// TestASearchThatIsTooLong has the time run out before the message is found.
func TestASearchThatIsTooLong(t *testing.T) {
	p := &stage{version: "1", poison: poison(13), gate: make(chan struct{}), passes: 3}
	x := stumbling(t, p, host.FaultBlock, 16, host.FaultsConfig{Search: 200 * time.Millisecond})
	expect(t, "fetch", get(t, x, 16), "1-8")
	if faults := p.reported(); len(faults) != 1 || !strings.Contains(faults[0].Reason, "which of the messages 9 to 16 is at fault was not found in time") {
		t.Errorf("reported: %+v", faults)
	}
}

// TestPollersTogether has many fetch at the same time. There is one search.
func TestPollersTogether(t *testing.T) {
	p := &stage{version: "1", poison: poison(7)}
	x := stumbling(t, p, host.FaultHold, 16, host.FaultsConfig{})
	var pollers sync.WaitGroup
	for range 16 {
		pollers.Go(func() {
			f, err := x.Fetch(t.Context(), "student", 16, host.Caller{})
			if unavailable, ok := errors.AsType[*host.UnavailableError](err); !ok && err != nil || ok && !strings.Contains(unavailable.Reason, "looked for") || err == nil && f.IDs.String() != "1-6,8-16" {
				t.Errorf("Fetch = %s, %v", f.IDs, err)
			}
		})
	}
	pollers.Wait()
	if faults := p.reported(); len(faults) != 1 {
		t.Errorf("reported: %+v", faults)
	}
}

func TestFaultPolicies(t *testing.T) {
	for _, text := range []string{"block", "hold"} {
		if p, err := host.ParseFaultPolicy(text); err != nil || string(p) != text {
			t.Errorf("ParseFaultPolicy(%q) = %q, %v", text, p, err)
		}
	}
	if _, err := host.ParseFaultPolicy("Hold"); err == nil {
		t.Error("ParseFaultPolicy(Hold) succeeded")
	}
	if _, err := host.NewFaults(host.FaultsConfig{}); err == nil {
		t.Error("NewFaults of nothing succeeded")
	}
}

// TestSearchesTakeTurns has a plugin fail over many groups at the same time.
func TestSearchesTakeTurns(t *testing.T) {
	p := &stage{version: "1", poison: poison(1)}
	x := stumbling(t, p, host.FaultBlock, 0, host.FaultsConfig{})
	p.each = func() {
		if p.open > 4 {
			t.Errorf("there are %d understudies", p.open)
		}
	}
	var pollers sync.WaitGroup
	for i := range 30 {
		g := host.GroupName(fmt.Sprint("g", i))
		if err := x.Queues.Declare(t.Context(), host.Queue{Group: g, Method: host.Poll, Plugin: "records", Formats: true}, nil); err != nil {
			t.Fatal(err)
		}
		addText(t, x, g, strings.Repeat("1\n", 16))
		pollers.Go(func() {
			_, err := x.Fetch(t.Context(), g, 16, host.Caller{})
			if _, ok := errors.AsType[*host.RejectedError](err); !ok {
				t.Errorf("Fetch(%s) = %v", g, err)
			}
		})
	}
	pollers.Wait()
}
