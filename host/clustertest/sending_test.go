//go:build linux

package clustertest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

var takeovers = flag.Int("takeovers", 1, "how often TestSending kills the daemon that sends")

// arrival is a batch that a receiver got.
type arrival struct {
	key, body string
	lease     uint64
	ids       []host.ID
	at        time.Time
}

// receiver is an external system that batches are sent to. It loses one answer in 20.
type receiver struct {
	mu  sync.Mutex
	all []arrival
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // cut off in the middle: it has not got this
	}
	var document struct{ Messages []struct{ ID host.ID } }
	lease, wrong := strconv.ParseUint(q.Header.Get("Restante-Lease"), 10, 64)
	if err := json.Unmarshal(body, &document); err != nil || wrong != nil {
		http.Error(w, "no batch", http.StatusBadRequest)
		return
	}
	a := arrival{key: q.Header.Get("Idempotency-Key"), body: string(body), lease: lease, at: time.Now()}
	for _, m := range document.Messages {
		a.ids = append(a.ids, m.ID)
	}
	r.mu.Lock()
	r.all = append(r.all, a)
	r.mu.Unlock()
	if rand.N(20) == 0 {
		panic(http.ErrAbortHandler)
	}
}

func (r *receiver) got() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// checkArrivals says what is wrong with what arrived: every message has to, in order,
// and to come again only with its whole batch under the same key. Leases only grow.
func checkArrivals(all []arrival, messages host.ID) (wrong []string) {
	report := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	next, lease := host.ID(1), uint64(0)
	for i, a := range all {
		if a.lease < lease {
			report("batch %d was sent under the lease %d, after one under %d", i, a.lease, lease)
		}
		lease = a.lease
		if i > 0 && a.key == all[i-1].key {
			if a.body != all[i-1].body {
				report("batch %d repeats %s with other bytes", i, a.key)
			}
			continue
		}
		for _, id := range a.ids {
			if id != next {
				report("batch %d has message %d in the place of %d", i, id, next)
			}
			next = id + 1
		}
	}
	if next != messages+1 {
		report("the last message is %d of %d", next-1, messages)
	}
	return wrong
}

// newReceiver starts a receiver, and returns the configuration of a queue that this
// machine sends to it.
func newReceiver(t *testing.T, g host.GroupName, endpoint string) (r *receiver, queue string) {
	t.Helper()
	r = &receiver{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return r, fmt.Sprintf(`send_from = %q
queue %q {
  method = "send"
  endpoint {
    url           = "%s/in"
    allow_private = ["127.0.0.1"]
    %s
  }
}
`, name, g, server.URL, endpoint)
}

// TestSending kills the daemon that sends, while messages are added to another one.
func TestSending(t *testing.T) {
	short(t)
	const group, some = "pushed", 20
	r, queue := newReceiver(t, group, "on_add = \"1ms\"\n    limit = 5")
	f := newFleet(t, 3, queue, nil)
	f.start(f.daemons...)
	added := host.ID(0)
	add := func(d *daemon) {
		c := d.client()
		defer c.Close()
		ids, err := c.Add(t.Context(), host.AddRequest{Group: group, Body: fmt.Appendf(nil, `{"n":%d}`, added+1), Key: strconv.Itoa(int(added))})
		if err != nil {
			t.Fatal(err)
		}
		added = ids[len(ids)-1]
	}
	arrive := func() {
		eventually(t, "all that was added has arrived", func() error {
			all := r.got()
			if len(all) == 0 || all[len(all)-1].ids[len(all[len(all)-1].ids)-1] != added {
				return fmt.Errorf("%d batches have, of %d messages", len(all), added)
			}
			return nil
		})
	}
	for range *takeovers {
		for range some {
			add(f.daemons[0])
		}
		arrive()
		sends := f.sends(group)
		other := f.others(sends)[0]
		all := r.got()
		before := all[len(all)-1].lease
		for range some {
			add(other)
		}
		sends.kill()
		killed := time.Now()
		for range some {
			add(other)
		}
		arrive()
		all = r.got()
		first := all[slices.IndexFunc(all, func(a arrival) bool { return a.lease > before })]
		t.Logf("kill -9 of the daemon that sends: another one has sent after %.1f s", first.at.Sub(killed).Seconds())
		f.start(sends)
	}
	all := r.got()
	for _, fault := range checkArrivals(all, added) {
		t.Error(fault)
	}
	t.Logf("%d messages in %d requests, the last one under the lease %d", added, len(all), all[len(all)-1].lease)
}

// TestSendAsked asks a daemon to send that does not, as another machine does. The daemon
// that does sees it in the store.
func TestSendAsked(t *testing.T) {
	short(t)
	const group = "pushed"
	r, queue := newReceiver(t, group, "")
	f := newFleet(t, 3, queue, nil)
	for _, d := range f.daemons[:2] {
		text, err := os.ReadFile(d.config())
		do(t, err)
		do(t, os.WriteFile(d.config(), bytes.Replace(text, []byte("send_from = "), []byte("send_from = \"another\" # "), 1), 0o600))
	}
	f.start(f.daemons...)
	c := f.daemons[0].client()
	defer c.Close()
	key, err := c.CreateKey(t.Context(), host.Grant{Groups: []host.GroupName{group}, Allow: []host.Permission{host.MaySend}})
	do(t, err)
	for i, ask := range map[string]func() error{
		"API": func() error {
			r, err := http.NewRequest("POST", "http://"+f.daemons[0].api+"/api/haplo-integration-messages/send/"+group, nil)
			if err != nil {
				return err
			}
			r.SetBasicAuth("haplo", key.Text)
			a, err := f.daemons[0].http.Do(r)
			if err != nil {
				return err
			}
			defer a.Body.Close()
			if a.StatusCode != http.StatusAccepted {
				return fmt.Errorf("POST /send answers %s", a.Status)
			}
			return nil
		},
		"command": func() error {
			out, err := f.daemons[1].run("send", group)
			if err == nil || !strings.Contains(out, "It was asked to send now.") {
				return fmt.Errorf("send on a daemon that does not: %v\n%s", err, out)
			}
			return nil
		},
	} {
		before := len(r.got())
		if _, err := c.Add(t.Context(), host.AddRequest{Group: group, Body: []byte("1")}); err != nil {
			t.Fatal(err)
		}
		if err := ask(); err != nil {
			t.Fatal(i, err)
		}
		eventually(t, "it has arrived, asked by "+i, func() error {
			if n := len(r.got()); n != before+1 {
				return fmt.Errorf("%d requests, want %d", n, before+1)
			}
			return nil
		})
	}
}

// sends returns the daemon that sends for a group: the one that does not say that
// another does.
func (f *fleet) sends(g host.GroupName) (found *daemon) {
	f.t.Helper()
	for _, d := range f.daemons {
		c := d.client()
		defer c.Close()
		status, err := c.SendStatus(f.t.Context(), g)
		if err != nil {
			f.t.Fatal(err)
		}
		// The one that sends waits too, after an attempt that the receiver spoiled.
		if strings.HasPrefix(status.Reason, "Another daemon sends it") {
			continue
		}
		if found != nil {
			f.t.Errorf("both %s and %s send for %s", found.name, d.name, g)
		}
		found = d
	}
	if found == nil {
		f.t.Fatalf("no daemon sends for %s", g)
	}
	return found
}

// TestCheckArrivals shows that wrong deliveries are found.
func TestCheckArrivals(t *testing.T) {
	good := func() []arrival {
		return []arrival{
			{key: "a", body: "1,2", lease: 1, ids: []host.ID{1, 2}},
			{key: "a", body: "1,2", lease: 2, ids: []host.ID{1, 2}},
			{key: "b", body: "3", lease: 2, ids: []host.ID{3}},
		}
	}
	if wrong := checkArrivals(good(), 3); len(wrong) > 0 {
		t.Errorf("faults in a good delivery: %q", wrong)
	}
	for name, change := range map[string]func(all []arrival){
		"lease goes back":   func(all []arrival) { all[2].lease = 1 },
		"other bytes":       func(all []arrival) { all[1].body = "x" },
		"repeated in part":  func(all []arrival) { all[1].key = "x"; all[1].ids = []host.ID{2} },
		"skipped":           func(all []arrival) { all[2].ids[0] = 4 },
		"order":             func(all []arrival) { slices.Reverse(all[0].ids) },
		"never arrived":     func(all []arrival) { all[2] = all[1] },
		"another key again": func(all []arrival) { all[1].key = "x" },
	} {
		all := good()
		change(all)
		if len(checkArrivals(all, 3)) == 0 {
			t.Errorf("%s: no fault found", name)
		}
	}
}
