package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

var sendRounds = flag.Int("send-rounds", 3, "how often TestKillSender kills the daemon")

// TestKillSender kills the daemon with SIGKILL, again and again, while it sends 10,000
// messages to a receiver that loses one answer in 100. Each message must arrive, in
// order, and come again only with its whole batch, byte for byte, under the same key.
func TestKillSender(t *testing.T) {
	const messages = 10_000
	d, r := newDaemon(t), newReceiver(t)
	r.answer = func(int, http.ResponseWriter) {
		if rand.N(100) == 0 {
			panic(http.ErrAbortHandler)
		}
	}
	d.sendTo(r, machine(t), fmt.Sprintf("on_add = \"1ms\"\n    limit = %d", min(max(messages/(15**sendRounds), 4), 50)))
	d.start()
	must(t, strings.Repeat("{\"a\":1}\n", messages), "add", "pushed", "--data", d.data)
	killed := 0
	for range *sendRounds {
		time.Sleep(rand.N(400 * time.Millisecond))
		if arrived(r) < messages {
			killed++
		}
		d.stop(syscall.SIGKILL)
		d.start()
	}
	for some := 1000; some <= messages; some += 1000 {
		eventually(t, fmt.Sprintf("%d messages have arrived", some), func() error {
			if n := arrived(r); n < some {
				return fmt.Errorf("%d have", n)
			}
			return nil
		})
	}
	all := r.got()
	next, lease, repeated := host.ID(1), uint64(0), 0
	for i, a := range all {
		if a.lease < lease {
			t.Errorf("request %d has the lease %d after %d", i, a.lease, lease)
		}
		lease = a.lease
		if i > 0 && a.key == all[i-1].key {
			repeated++
			if a.body != all[i-1].body {
				t.Errorf("request %d repeats %s with other bytes", i, a.key)
			}
			continue
		}
		if len(a.ids) == 0 || a.ids[0] != next || !slices.IsSorted(a.ids) || a.ids[len(a.ids)-1] != next+host.ID(len(a.ids))-1 {
			t.Fatalf("request %d has messages %v, want them from %d on", i, a.ids, next)
		}
		next += host.ID(len(a.ids))
	}
	if next != messages+1 {
		t.Errorf("the last message is %d", next-1)
	}
	t.Logf("killed %d times, %d of them while it sent: %d messages in %d requests, %d of them repeats", *sendRounds, killed, next-1, len(all), repeated)
}

// arrived returns the last message that a receiver has got.
func arrived(r *receiver) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == 0 {
		return 0
	}
	ids := r.all[len(r.all)-1].ids
	return int(ids[len(ids)-1])
}
