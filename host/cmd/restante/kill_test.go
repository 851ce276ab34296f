package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

var rounds = flag.Int("rounds", 3, "how often TestKill kills the daemon")

// ledger is what the daemon has answered, over all of its lives.
type ledger struct {
	mu     sync.Mutex
	added  map[host.ID]string // the value of every message that was answered
	tries  int                // adds that were begun
	marked map[host.ID]string // the token of every message whose mark was answered
	unsure map[string]int     // tokens whose mark got no answer, and their sizes
	counts uint64             // what the answered marks counted
}

// TestKill kills the daemon with SIGKILL, again and again, in the middle of
// adds by 64 clients and polls by 4. Then it reads everything back: each
// message that was answered must be there with its own data, and no message
// whose mark was answered may have been handed out or counted again.
func TestKill(t *testing.T) {
	const adders, pollers = 64, 4
	d := newDaemon(t)
	l := &ledger{added: map[host.ID]string{}, marked: map[host.ID]string{}, unsure: map[string]int{}}
	var key string
	for round := range *rounds {
		d.start()
		if key == "" {
			key = d.key("plain", "poll,add")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		for c := range adders {
			wait.Go(func() { l.add(ctx, t, d, key, fmt.Sprintf("%d/%d", round, c)) })
		}
		for range pollers {
			wait.Go(func() { l.poll(ctx, t, d, key) })
		}
		time.Sleep(50*time.Millisecond + rand.N(400*time.Millisecond))
		d.stop(syscall.SIGKILL)
		cancel()
		wait.Wait()
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			return
		}
	}
	d.start()
	l.verify(t, d, key)
}

// add adds one message after the other until the daemon is gone.
func (l *ledger) add(ctx context.Context, t *testing.T, d *daemon, key, who string) {
	for i := 0; ; i++ {
		value := fmt.Sprintf(`"%s/%d"`, who, i)
		l.mu.Lock()
		l.tries++
		l.mu.Unlock()
		r, err := d.call(ctx, "POST", "add/plain", key, "application/json", bytes.NewReader([]byte(value)))
		if err != nil {
			return
		}
		var answer struct{ ID host.ID }
		if err := json.Unmarshal(r.body, &answer); err != nil || r.status != http.StatusCreated {
			t.Errorf("add answers %d: %s", r.status, r.body)
			return
		}
		l.mu.Lock()
		if other, taken := l.added[answer.ID]; taken {
			t.Errorf("message %d was given to %s and to %s", answer.ID, other, value)
		}
		l.added[answer.ID] = value
		l.mu.Unlock()
	}
}

// poll fetches and marks until the daemon is gone.
func (l *ledger) poll(ctx context.Context, t *testing.T, d *daemon, key string) {
	for {
		l.mu.Lock()
		before := make(map[host.ID]bool, len(l.marked))
		for id := range l.marked {
			before[id] = true
		}
		l.mu.Unlock()
		r, err := d.fetch(ctx, key, "plain")
		if err != nil {
			return
		}
		var doc defaultDocument
		if err := json.Unmarshal(r.body, &doc); err != nil || r.status != http.StatusOK {
			t.Errorf("fetch answers %d: %.200s", r.status, r.body)
			return
		}
		for _, m := range doc.Messages {
			if before[m.ID] {
				t.Errorf("message %d was handed out after its mark was answered", m.ID)
			}
		}
		m, err := d.mark(ctx, key, "plain", doc.Token)
		l.mu.Lock()
		if err != nil {
			l.unsure[doc.Token] = len(doc.Messages)
			l.mu.Unlock()
			return
		}
		l.counts += m.Marked
		for _, m := range doc.Messages {
			l.marked[m.ID] = doc.Token
		}
		l.mu.Unlock()
	}
}

func (l *ledger) verify(t *testing.T, d *daemon, key string) {
	c := d.client()
	defer c.Close()
	stored := map[host.ID]string{}
	status := map[string]int{}
	for before := host.ID(0); ; {
		page, err := c.Messages(t.Context(), "plain", before, host.MaxFetch)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			stored[m.ID] = string(m.Data)
			status[m.Status]++
			if _, answered := l.marked[m.ID]; answered && m.Status != "read" {
				t.Errorf("message %d is %s, but its mark was answered", m.ID, m.Status)
			}
		}
		before = page[len(page)-1].ID
	}
	lost := 0
	for id, value := range l.added {
		if stored[id] != value {
			lost++
			t.Errorf("message %d was answered for %s, but the store has %q", id, value, stored[id])
		}
	}
	values := map[string]host.ID{}
	for id, value := range stored {
		if other, twice := values[value]; twice {
			t.Errorf("%s is stored twice, as %d and %d", value, id, other)
		}
		values[value] = id
	}
	unsure := 0
	for _, n := range l.unsure {
		unsure += n
	}
	read := uint64(status["read"])
	if read < l.counts || read > l.counts+uint64(unsure) {
		t.Errorf("%d messages are read; the answered marks counted %d and the unanswered ones named %d", read, l.counts, unsure)
	}
	tokens := map[string]bool{}
	for _, token := range l.marked {
		tokens[token] = true
	}
	for token := range tokens {
		if m, err := d.mark(t.Context(), key, "plain", token); err != nil || m.Marked != 0 {
			t.Errorf("a mark that was answered before marks again: %+v, %v", m, err)
		}
	}
	t.Logf("killed %d times in the middle of adds by 64 clients and polls by 4", *rounds)
	t.Logf("%d adds begun, %d answered, %d lost; %d messages stored", l.tries, len(l.added), lost, len(stored))
	t.Logf("%d marks answered, which counted %d messages; %d marks unanswered; %d messages read, %d unread",
		len(tokens), l.counts, len(l.unsure), status["read"], status["unread"])
}
