package sender_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/sender"
)

// more declares another group that is sent to the same receiver.
func (o *office) more(groups ...host.GroupName) {
	o.Helper()
	all := []host.Queue{{Group: "out", Method: host.Send}}
	for _, g := range groups {
		all = append(all, host.Queue{Group: g, Method: host.Send})
	}
	if err := o.exchange.Queues.Configure(o.Context(), all); err != nil {
		o.Fatal(err)
	}
	for _, g := range groups {
		if _, err := o.exchange.Add(o.Context(), host.AddRequest{Group: g, Body: []byte("1")}); err != nil {
			o.Fatal(err)
		}
	}
}

// crowd counts how many are somewhere at the same time.
type crowd struct {
	mu        sync.Mutex
	now, most int
}

func (c *crowd) spend(d time.Duration) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	time.Sleep(d)
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
}

func (c *crowd) largest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

func (c *crowd) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.most = 0
}

func TestBreaker(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.OnAdd = time.Second
		o.add(1, 1)
		o.more("b", "c", "d")
		inside := &crowd{}
		o.script(func(_ int, w http.ResponseWriter, _ received) {
			inside.spend(5 * time.Second)
			w.WriteHeader(500)
		})
		o.open().wait(20 * time.Second)
		s := o.status()
		if s.State != host.SendWaiting || s.Breaker != "open" {
			o.Fatalf("the status is %+v", s)
		}
		opened := len(o.got())
		if opened < 5 || opened > 8 {
			o.Errorf("it opened after %d failures", opened)
		}
		o.wait(time.Until(s.BreakerUntil) - time.Second)
		if n := len(o.got()) - opened; n != 0 {
			o.Errorf("%d requests while it was open", n)
		}
		inside.forget()
		o.wait(10 * time.Minute)
		if most := inside.largest(); most != 1 {
			o.Errorf("%d probes at the same time", most)
		}
		if n := len(o.got()) - opened; n < 2 || n > 6 {
			o.Errorf("%d probes within 10 minutes", n)
		}
		o.script(nil)
		o.wait(20 * time.Minute)
		for _, g := range []host.GroupName{"out", "b", "c", "d"} {
			if s, err := o.sender.Status(o.Context(), g); err != nil || s.State != host.SendIdle || s.Outstanding != 0 || s.Breaker != "closed" {
				o.Errorf("%s is %+v, %v", g, s, err)
			}
		}
	})
}

func TestRateAndConcurrency(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.OnAdd, o.settings.Rate, o.settings.Limit = time.Second, 6, 1
		o.add(1, 5)
		o.open().wait(time.Minute)
		all := o.got()
		if len(all) != 5 {
			o.Fatalf("received %s", ranges(all))
		}
		for i := range all[1:] {
			if pause := all[i+1].at.Sub(all[i].at); pause < 10*time.Second {
				o.Errorf("only %s between two requests", pause)
			}
		}
		o.set(func(s *sender.Settings) { s.Rate, s.Concurrency = 0, 2 })
		inside := &crowd{}
		o.script(func(int, http.ResponseWriter, received) {
			inside.spend(time.Second)
		})
		o.more("b", "c", "d", "e")
		o.wait(time.Minute)
		if n := len(o.got()); n != 9 || inside.largest() != 2 {
			o.Errorf("%d requests, %d at the same time", n, inside.largest())
		}
	})
}

func TestSlowGroupDelaysNoOther(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.OnAdd = time.Second
		o.more("b")
		o.add(1, 1)
		o.script(func(n int, _ http.ResponseWriter, _ received) {
			if n == 1 {
				time.Sleep(20 * time.Second)
			}
		})
		o.open().wait(3 * time.Second)
		if n := len(o.got()); n != 2 {
			o.Errorf("%d requests while the first one takes its time", n)
		}
	})
}
