//go:build unix

package formatter_test

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

// desk is a shop with one plugin and an exchange over a real store. Each case
// has a group of its own.
type desk struct {
	*shop
	exchange *host.Exchange
	groups   int

	mu      sync.Mutex
	policy  host.FaultPolicy
	faults  []host.Fault
	cleared []host.GroupName
}

func newDesk(t *testing.T, callTimeout time.Duration, groups int) *desk {
	t.Helper()
	d := &desk{shop: newShop(t), policy: host.FaultBlock}
	d.config.CallTimeout = callTimeout
	d.config.Budget = 1000
	spec := plugintest.Spec{Name: "records", Version: "1"}
	for i := range groups {
		spec.Groups = append(spec.Groups, fmt.Sprint("g", i+1))
	}
	d.put("records", spec)
	d.open().ready()
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "store")})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := host.OpenTokens(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	faults, err := host.NewFaults(host.FaultsConfig{
		Store: store, Tokens: tokens, Formatters: d.Plugins, Patience: time.Minute,
		Policy: func(host.GroupName) host.FaultPolicy {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.policy
		},
		Report: func(f host.Fault) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.faults = append(d.faults, f)
		},
		Cleared: func(g host.GroupName) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.cleared = append(d.cleared, g)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.exchange = &host.Exchange{Store: store, Queues: d.queues, Tokens: tokens, Formatters: d.Plugins, Faults: faults}
	t.Cleanup(func() {
		faults.Close()
		d.stop()
		if err := errors.Join(store.Check(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return d
}

// queue adds n messages to another group, those at some places with data that
// has the plugin do something.
func (d *desk) queue(n int, data string, places ...int) host.GroupName {
	d.Helper()
	d.groups++
	g := host.GroupName(fmt.Sprint("g", d.groups))
	lines := strings.Split(strings.Repeat("{\"a\":1}\n", n), "\n")
	for _, place := range places {
		lines[place-1] = data
	}
	if _, err := d.exchange.Add(d.Context(), host.AddRequest{Group: g, Body: []byte(strings.Join(lines, "\n")), Lines: true}); err != nil {
		d.Fatal(err)
	}
	return g
}

// reported returns the faults since it was asked last.
func (d *desk) reported() []host.Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.faults
	d.faults = nil
	return all
}

func (d *desk) setPolicy(p host.FaultPolicy) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.policy = p
}

// runs waits until the plugin serves.
func (d *desk) runs() host.PluginStatus { return d.await("records", host.PluginActive) }

func (d *desk) fetch(g host.GroupName, limit int) (host.Fetched, error) {
	return d.exchange.Fetch(d.Context(), g, limit, host.Caller{})
}

// ways are how a plugin fails over one message.
var ways = map[string]struct{ data, reason string }{
	"panic":        {`{"do":"panic","text":"no way"}`, "its process ended: panic: no way"},
	"exit":         {`{"do":"exit","n":3}`, "its process ended: it exited with status 3"},
	"error":        {`{"do":"error","text":"not this one"}`, "not this one"},
	"spin":         {`{"do":"spin"}`, "it took longer than 1s"},
	"bad document": {`{"do":"type","text":"none"}`, `the content type "none" is not a media type`},
	"rejection":    {`{"do":"reject","text":"I don't like it"}`, "I don't like it"},
}

// TestFaults has real plugins fail over one message of a batch, in every way and
// at many places.
func TestFaults(t *testing.T) {
	d := newDesk(t, time.Second, 70)
	places := map[int][]int{1: {1}, 2: {1, 2}, 3: {1, 2, 3}, 7: {1, 4, 7}, 16: {1, 8, 9, 16}, 1000: {1, 617, 1000}}
	for name, way := range ways {
		for n, all := range places {
			if name != "error" && n > 7 || name == "spin" && n > 3 {
				all = all[len(all)-1:] // each takes some starts of a process
			}
			if name == "spin" && n > 7 {
				continue
			}
			for _, place := range all {
				t.Run(fmt.Sprintf("%s at %d of %d", name, place, n), func(t *testing.T) {
					d.one(t, n, place, way.data, way.reason)
				})
			}
		}
	}
}

// one has the message at one place found, and be held after that.
func (d *desk) one(t *testing.T, n, place int, data, reason string) {
	g := d.queue(n, data, place)
	d.setPolicy(host.FaultBlock)
	before := d.runs()
	for range 3 { // of which only the first calls the plugin
		_, err := d.fetch(g, n)
		rejected, ok := errors.AsType[*host.RejectedError](err)
		if !ok || len(rejected.Rejections) != 1 || rejected.Rejections[0].ID != host.ID(place) || !strings.Contains(rejected.Rejections[0].Reason, reason) {
			t.Fatalf("Fetch = %v, want message %d: %s", err, place, reason)
		}
	}
	after := d.runs()
	crashes := 0
	if strings.Contains(reason, "process ended") || strings.Contains(reason, "took longer") {
		crashes = 1
	}
	if after.Usage.Calls != before.Usage.Calls+1 || after.Restarts != before.Restarts+crashes || crashes == 0 && after.PID != before.PID {
		t.Errorf("the process that serves was %+v and is %+v", before, after)
	}
	faults := d.reported()
	most := 2*bits.Len(uint(n-1)) + 1
	if len(faults) != 1 || faults[0].Calls > most || faults[0].Plugin.Digest != after.Digest || faults[0].Batch.Count() != uint64(n) {
		t.Errorf("reported: %+v, want one fault and at most %d calls", faults, most)
	}
	d.setPolicy(host.FaultHold) // as the operator decides now
	f, err := d.fetch(g, n)
	if err != nil || f.IDs.Contains(host.ID(place)) || f.IDs.Count() != uint64(n-1) {
		t.Errorf("with the message held: %s, %v", f.IDs, err)
	}
	if faults := d.reported(); len(faults) != 1 || !faults[0].Held {
		t.Errorf("reported: %+v", faults)
	}
}

func TestFaultsAreHeldInOneFetch(t *testing.T) {
	d := newDesk(t, 10*time.Second, 3)
	d.setPolicy(host.FaultHold)
	for _, name := range []string{"panic", "error", "rejection"} {
		before := d.runs()
		g := d.queue(20, ways[name].data, 2, 3, 16)
		f, err := d.fetch(g, 16)
		want := "1,4-15"
		if name == "rejection" {
			want = "1,4-15,17-19" // which takes no search
		}
		if err != nil || f.IDs.String() != want {
			t.Errorf("%s: %s, %v, want %s", name, f.IDs, err, want)
		}
		counts, err := d.exchange.Store.Counts(t.Context(), g)
		if err != nil || counts.Held != 3 || counts.Unread != 17 {
			t.Errorf("%s: the counts are %+v, %v", name, counts, err)
		}
		if restarts := d.runs().Restarts - before.Restarts; restarts > 1 {
			t.Errorf("%s: the process that serves was started %d times", name, restarts)
		}
		if faults := d.reported(); len(faults) != 3 {
			t.Errorf("%s: reported: %+v", name, faults)
		}
	}
}

// TestAFaultIsMended puts a version into the folder that can format the message.
func TestAFaultIsMended(t *testing.T) {
	d := newDesk(t, 10*time.Second, 1)
	d.put("records", plugintest.Spec{Name: "records", Version: "2", Groups: []string{"g1"}})
	d.eventually("version 2 serves", func() bool { return d.status("records").Version == "2" })
	g := d.queue(5, `{"do":"error-in-2","text":"not in 2"}`, 4)
	if _, err := d.fetch(g, 16); err == nil || !strings.Contains(err.Error(), "message 4: not in 2") {
		t.Fatalf("Fetch = %v", err)
	}
	d.put("records", plugintest.Spec{Name: "records", Version: "3", Groups: []string{"g1"}})
	d.eventually("version 3 serves", func() bool { return d.status("records").Version == "3" })
	if f, err := d.fetch(g, 16); err != nil || f.IDs.String() != "1-5" {
		t.Errorf("Fetch = %s, %v", f.IDs, err)
	}
	if len(d.cleared) != 1 || d.cleared[0] != g {
		t.Errorf("told to be free: %s", d.cleared)
	}
}

// TestFaultsEndInTheMiddle stops the daemon while a message is being looked for.
func TestFaultsEndInTheMiddle(t *testing.T) {
	d := newDesk(t, 2*time.Second, 1)
	g := d.queue(16, ways["spin"].data, 16)
	fetched := make(chan error, 1)
	go func() {
		_, err := d.exchange.Fetch(context.WithoutCancel(t.Context()), g, 16, host.Caller{})
		fetched <- err
	}()
	d.eventually("an understudy is being asked", func() bool { return d.status("records").Failure != "" && len(children()) == 2 })
	if _, err := d.fetch(g, 16); err == nil || !strings.Contains(err.Error(), "is being looked for") {
		t.Errorf("meanwhile: %v", err)
	}
	begun := time.Now()
	d.exchange.Faults.Close()
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("to end took %s", took)
	}
	if err := <-fetched; err == nil || !strings.Contains(err.Error(), "it took longer than 2s over 16 messages") {
		t.Errorf("the poller who waited was told: %v", err)
	}
	if faults := d.reported(); len(faults) > 0 {
		t.Errorf("reported: %+v", faults)
	}
}
