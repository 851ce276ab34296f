package sender_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/sender"
)

// sharedStore is a store that another daemon has open, too.
type sharedStore struct{ *boltstore.Store }

func (sharedStore) Shared() bool { return true }

// together runs a test with two daemons that send the same group.
func together(t *testing.T, test func(a, b *office)) {
	synctest.Test(t, func(t *testing.T) {
		a := newOffice(t)
		a.holder = "a"
		a.share()
		b := &office{
			T: t, receiver: a.receiver, store: a.store, stop: func() {}, outcomes: map[host.AttemptOutcome]int{},
			settings: a.settings, holder: "b",
		}
		b.share()
		t.Cleanup(func() { b.stop() })
		test(a, b)
	})
}

// share has the daemon know that it is not the only one.
func (o *office) share() {
	store := sharedStore{o.store}
	queues, err := host.OpenQueues(o.Context(), store, []host.Queue{{Group: "out", Method: host.Send}})
	if err != nil {
		o.Fatal(err)
	}
	tokens, err := host.OpenTokens(o.Context(), store)
	if err != nil {
		o.Fatal(err)
	}
	o.exchange = &host.Exchange{Store: store, Queues: queues, Tokens: tokens, Deliveries: host.NewDeliveries(store, time.Now, nil)}
	o.inbox, o.outbox = host.NewInbox(store, time.Now), host.NewOutbox(store)
}

// What one daemon has begun another goes on with, and what is paused on one is
// paused on all.
func TestPauseOnAnotherDaemon(t *testing.T) {
	together(t, func(a, b *office) {
		a.add(1, 3)
		a.script(status(500))
		a.open()
		b.open()
		if _, err := a.sender.Trigger(a.Context(), "out"); err != nil {
			t.Fatal(err)
		}
		a.wait(time.Minute)
		failed := len(a.got())
		if failed == 0 {
			t.Fatal("nothing was sent")
		}
		if s := b.status(); s.Attempts != failed || s.Delivery == "" {
			t.Errorf("after %d attempts of the other daemon the status is %+v", failed, s)
		}
		if err := b.sender.Pause(b.Context(), "out", "ada"); err != nil {
			t.Fatal(err)
		}
		a.wait(time.Second)
		if s := a.status(); s.State != host.SendPaused {
			t.Errorf("the status of what another daemon has paused is %+v", s)
		}
		failed = len(a.got())
		a.wait(2 * time.Hour)
		if n := len(a.got()); n != failed {
			t.Errorf("%d attempts after it was paused", n-failed)
		}
		a.script(status(http.StatusOK))
		if err := b.sender.Resume(b.Context(), "out"); err != nil {
			t.Fatal(err)
		}
		a.wait(2 * time.Minute)
		all := a.got()
		if n := len(all); n != failed+1 || all[n-1].key != all[0].key {
			t.Errorf("after it was resumed there were %d attempts, the last of %+v", n-failed, all[n-1])
		}
		for _, o := range []*office{a, b} {
			if s := o.status(); s.State != host.SendIdle || s.Outstanding != 0 || s.Delivery != "" {
				t.Errorf("the status of %s is %+v", o.holder, s)
			}
		}
	})
}

// Each run of a schedule is of one daemon, however quickly it is over.
func TestScheduleOfTwoDaemons(t *testing.T) {
	together(t, func(a, b *office) {
		for _, o := range []*office{a, b} {
			o.set(func(s *sender.Settings) { s.Schedule, s.SendEmpty = "0 6 * * *", true })
			o.open()
		}
		a.wait(2 * 24 * time.Hour)
		if n := len(a.got()); n != 2 {
			t.Errorf("%d requests in two days", n)
		}
	})
}

// What one daemon reported is over when the other one sends.
func TestReportEndsOnAnotherDaemon(t *testing.T) {
	together(t, func(a, b *office) {
		b.open()
		b.add(1, 1)
		if r, err := b.sender.SendNow(b.Context(), "out"); err != nil || r.Messages != 1 {
			t.Fatalf("SendNow = %+v, %v", r, err)
		}
		b.stop()
		a.open()
		b.open()
		for first := range 2 { // each of them has sent before
			a.add(first+2, first+2)
			if _, err := []*office{a, b}[first].sender.SendNow(a.Context(), "out"); err != nil {
				t.Fatal(err)
			}
			a.wait(time.Minute)
		}
		if n := len(a.got()); n != 3 {
			t.Fatalf("%d requests", n)
		}
		if err := a.inbox.Raise(a.Context(), host.ErrorReport{Kind: host.ErrorSend, Group: "out", Title: "t"}); err != nil {
			t.Fatal(err)
		}
		a.add(4, 4)
		if _, err := b.sender.SendNow(b.Context(), "out"); err != nil {
			t.Fatal(err)
		}
		a.wait(time.Minute)
		if all := a.reports(); len(all) != 0 {
			t.Errorf("the inbox has %+v", all)
		}
	})
}

// That another daemon sends is told to those who ask, and nothing to report.
func TestSentByAnotherDaemon(t *testing.T) {
	together(t, func(a, b *office) {
		b.place = sender.Place{Off: "a sends", Elsewhere: true}
		a.settings.OnAdd, b.settings.OnAdd = time.Second, time.Second
		b.open()
		b.add(1, 1)
		b.wait(time.Minute)
		if s := b.status(); s.State != host.SendOff || s.Reason != "a sends" || len(b.reports()) != 0 {
			t.Errorf("the status is %+v, the inbox has %+v", s, b.reports())
		}
		a.open()
		a.wait(time.Minute)
		if ranges(a.got()) != "1-1" {
			t.Errorf("received %s", ranges(a.got()))
		}
	})
}
