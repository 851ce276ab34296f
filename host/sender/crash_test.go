package sender_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
)

func TestStopLetsAnAttemptFinish(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.OnAdd, o.settings.Limit = time.Second, 1
		o.add(1, 2)
		o.script(func(int, http.ResponseWriter, received) { time.Sleep(3 * time.Second) })
		o.open().wait(2 * time.Second)
		o.stop()
		if counts, err := o.store.Counts(o.Context(), "out"); err != nil || counts.Unread != 1 {
			o.Errorf("after the stop %+v are left, %v", counts, err)
		}
		o.open().wait(time.Minute)
		if ranges(o.got()) != "1-1 2-2" {
			o.Errorf("received %s", ranges(o.got()))
		}
	})
}

func TestStopCutsOffAnAttemptAfterTheGrace(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.OnAdd = time.Second
		o.add(1, 2)
		o.script(func(int, http.ResponseWriter, received) { time.Sleep(20 * time.Second) })
		o.open().wait(2 * time.Second)
		began := time.Now()
		o.stop()
		if took := time.Since(began); took > 6*time.Second {
			o.Errorf("the stop took %s", took)
		}
		if o.outcomes[host.AttemptCut] != 1 {
			o.Errorf("the outcomes are %v", o.outcomes)
		}
		o.script(nil)
		o.open().wait(time.Second)
		all := o.got()
		if ranges(all) != "1-2 1-2" || all[0].key != all[1].key || all[0].lease >= all[1].lease {
			o.Errorf("received %+v", all)
		}
	})
}

// TestRunGoesOnAfterACrash stops between two batches of a run that nothing would
// begin again.
func TestRunGoesOnAfterACrash(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.Limit = 1
		o.add(1, 3)
		stopped := make(chan struct{})
		o.script(func(n int, _ http.ResponseWriter, _ received) {
			if n == 1 {
				close(stopped)
			}
			time.Sleep(time.Second)
		})
		o.open()
		o.sender.Trigger(o.Context(), "out")
		<-stopped
		o.stop()
		o.open().wait(time.Minute)
		if ranges(o.got()) != "1-1 2-2 3-3" {
			o.Errorf("received %s", ranges(o.got()))
		}
	})
}

func TestAnotherDaemonHasTheLease(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.OnAdd = time.Second
		o.add(1, 1)
		other := host.NewLeases(o.store, "other", time.Now)
		if _, err := other.Take(o.Context(), "send/out", time.Minute); err != nil {
			o.Fatal(err)
		}
		o.open().wait(time.Minute)
		if s := o.status(); s.State != host.SendWaiting || len(o.got()) != 0 {
			o.Errorf("the status is %+v", s)
		}
		o.wait(10 * time.Second)
		if ranges(o.got()) != "1-1" || o.got()[0].lease != "2" {
			o.Errorf("received %+v", o.got())
		}
	})
}

func TestLeaseIsRenewedWhileAnAttemptGoesOn(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.OnAdd = time.Second
		o.settings.Endpoint.(*client).Timeout = 5 * time.Minute
		o.add(1, 1)
		o.script(func(int, http.ResponseWriter, received) { time.Sleep(3 * time.Minute) })
		o.open().wait(2 * time.Minute)
		other := host.NewLeases(o.store, "other", time.Now)
		if l, err := other.Take(o.Context(), "send/out", time.Minute); err == nil {
			o.Errorf("another daemon took the lease: %+v", l)
		}
		o.wait(2 * time.Minute)
		if s := o.status(); s.State != host.SendIdle || s.Outstanding != 0 {
			o.Errorf("the status is %+v", s)
		}
	})
}

// brittle is a store that can't mark for a while.
type brittle struct {
	*boltstore.Store
	broken atomic.Bool
}

func (b *brittle) Move(ctx context.Context, g host.GroupName, ids host.Ranges, to host.Status, record ...host.JournalEntry) (uint64, host.Counts, error) {
	if b.broken.Load() {
		return 0, host.Counts{}, host.ErrStoreFull
	}
	return b.Store.Move(ctx, g, ids, to, record...)
}

func TestAcceptedBatchIsMarkedLater(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.Limit = 1
		store := &brittle{Store: o.store}
		o.exchange.Store = store
		store.broken.Store(true)
		o.add(1, 2)
		o.open()
		r, err := o.sender.SendNow(o.Context(), "out")
		if err != nil || r.State != host.SendWaiting || !strings.Contains(r.Reason, "no space left") {
			o.Errorf("SendNow = %+v, %v", r, err)
		}
		o.wait(10 * time.Minute)
		if ranges(o.got()) != "1-1" {
			o.Errorf("received %s", ranges(o.got()))
		}
		store.broken.Store(false)
		o.wait(2 * time.Minute)
		if s := o.status(); ranges(o.got()) != "1-1 2-2" || s.State != host.SendIdle || s.Outstanding != 0 {
			o.Errorf("received %s, %+v", ranges(o.got()), s)
		}
	})
}

// TestHeldBatchIsMadeAnew holds a message of a batch that is on its way.
func TestHeldBatchIsMadeAnew(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.OnAdd = time.Second
		o.add(1, 3)
		o.script(status(500))
		o.open().wait(time.Minute)
		if _, _, err := o.exchange.Hold(o.Context(), "out", host.NewRanges(1)); err != nil {
			o.Fatal(err)
		}
		n := len(o.got())
		o.script(nil)
		o.wait(time.Hour)
		all := o.got()
		if ranges(all[n:]) != "2-3" || all[n].key == all[0].key {
			o.Errorf("after the hold came %s", ranges(all[n:]))
		}
	})
}
