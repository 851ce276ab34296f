package natsstore_test

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/natsstore"
)

// lossy is a dialer whose connections lose what servers answer: when cut, the next
// answer is thrown away and the connection ends.
type lossy struct {
	armed atomic.Bool
	cuts  atomic.Int64
}

func (l *lossy) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &lossyConn{c, l}, err
}

type lossyConn struct {
	net.Conn
	lossy *lossy
}

func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.lossy.armed.CompareAndSwap(true, false) {
		c.lossy.cuts.Add(1)
		c.Conn.Close()
		return 0, errors.New("cut")
	}
	return n, err
}

// cutting cuts the connections of a store every now and then until stop is called.
func (l *lossy) cutting(every time.Duration) (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.armed.Store(true)
			case <-done:
				l.armed.Store(false)
				return
			}
		}
	})
	return func() { close(done); wait.Wait() }
}

// TestLostAnswers has two daemons write while their connections lose answers. What
// was answered is there, exactly once, and nothing else is.
func TestLostAnswers(t *testing.T) {
	for _, servers := range []int{1, 3} {
		t.Run(fmt.Sprint(servers, " servers"), func(t *testing.T) { testLostAnswers(t, servers) })
	}
}

func testLostAnswers(t *testing.T, servers int) {
	conf := config(t, sharedCluster(t, servers))
	conf.Log = nil
	lossies := []*lossy{{}, {}}
	var stores []*natsstore.Store
	for _, l := range lossies {
		c := conf
		c.Options = []nats.Option{nats.SetCustomDialer(l), nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(time.Millisecond, time.Millisecond)}
		stores = append(stores, open(t, c))
	}
	const workers, each = 6, 30
	w := &written{t: t, data: map[host.ID]string{}, numbers: map[uint64]bool{}}
	var stops []func()
	for i, l := range lossies {
		stops = append(stops, l.cutting(time.Duration(80+17*i)*time.Millisecond))
	}
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() {
			for n := range each {
				w.round(stores[(i+n)%2], i, n)
			}
		})
	}
	wait.Wait()
	for _, stop := range stops {
		stop()
	}
	t.Logf("%d and %d answers were lost", lossies[0].cuts.Load(), lossies[1].cuts.Load())
	w.check(stores[0], workers*each)
}

// written is what a test was answered.
type written struct {
	t       *testing.T
	mu      sync.Mutex
	data    map[host.ID]string
	numbers map[uint64]bool
	moved   uint64
	puts    int
}

// round makes one write of each kind.
func (w *written) round(s *natsstore.Store, worker, n int) {
	ctx := w.t.Context()
	a := host.Addition{Group: "g", Data: messages(fmt.Sprintf(`"%d.%d"`, worker, n))}
	if n%3 == 0 {
		a.Key = fmt.Sprintf("%d.%d", worker, n)
	}
	ids, err := s.Append(ctx, a)
	if err != nil || len(ids) != 1 {
		w.t.Errorf("Append = %v, %v", ids, err)
		return
	}
	if again, err := s.Append(ctx, a); a.Key != "" && (err != nil || again[0] != ids[0]) {
		w.t.Errorf("Append again = %v, %v, want %v", again, err, ids)
	} else if a.Key == "" && err == nil {
		w.mu.Lock()
		w.data[again[0]] = string(a.Data[0])
		w.mu.Unlock()
	}
	moved, _, err := s.Move(ctx, "g", upTo(ids[0]), host.Read)
	if err != nil {
		w.t.Errorf("Move = %v", err)
	}
	number, err := s.AppendEntry(ctx, "j/g", host.Entry{Key: "k"}, false)
	if err != nil {
		w.t.Errorf("AppendEntry = %v", err)
	}
	puts := 0
	for {
		r, err := s.Record(ctx, "b", "counter")
		if err != nil && !errors.Is(err, host.ErrNoRecord) {
			w.t.Errorf("Record = %v", err)
			break
		}
		count, _ := strconv.Atoi(string(r.Value))
		_, err = s.PutRecord(ctx, "b", host.Record{Key: "counter", Value: []byte(strconv.Itoa(count + 1)), Revision: r.Revision})
		if err == nil {
			puts++
			break
		}
		if !errors.Is(err, host.ErrConflict) {
			w.t.Errorf("PutRecord = %v", err)
			break
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.data[ids[0]] != "" || w.numbers[number] {
		w.t.Errorf("message %d or entry %d was given out twice", ids[0], number)
	}
	w.data[ids[0]] = string(a.Data[0])
	w.numbers[number] = true
	w.moved += moved
	w.puts += puts
}

// check compares what is stored with what was answered.
func (w *written) check(s *natsstore.Store, rounds int) {
	ctx := w.t.Context()
	last, _, err := s.Move(ctx, "g", upTo(host.MaxID), host.Read)
	if err != nil {
		w.t.Fatal(err)
	}
	counts, err := s.Counts(ctx, "g")
	if err != nil || counts.Read != uint64(len(w.data)) || w.moved+last != counts.Read || counts.Unread != 0 {
		w.t.Errorf("Counts = %+v, %v; %d additions were answered, and %d moves", counts, err, len(w.data), w.moved+last)
	}
	for before := host.ID(0); ; {
		some, err := s.List(ctx, "g", before, 500)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		for _, m := range some {
			if w.data[m.ID] != string(m.Data) {
				w.t.Errorf("message %d is %s, its writer was told so of %q", m.ID, m.Data, w.data[m.ID])
			}
			before = m.ID
		}
	}
	entries, err := s.Entries(ctx, "j/g", 0, 10_000)
	if err != nil || len(entries) != rounds || entries[0].Number != uint64(rounds) || len(w.numbers) != rounds {
		w.t.Errorf("Entries = %d, %v; %d were answered, want %d", len(entries), err, len(w.numbers), rounds)
	}
	if r, err := s.Record(ctx, "b", "counter"); err != nil || string(r.Value) != strconv.Itoa(w.puts) {
		w.t.Errorf("the counter is %s, %v, want %d", r.Value, err, w.puts)
	}
	if err := s.Check(); err != nil {
		w.t.Error(err)
	}
}

// TestReconnectWakes wakes who waits when the connection is back, as a hint may have
// been lost meanwhile.
func TestReconnectWakes(t *testing.T) {
	conf := config(t, sharedCluster(t, 1))
	conf.Log = nil
	l := &lossy{}
	conf.Options = []nats.Option{nats.SetCustomDialer(l)}
	s := open(t, conf)
	changed, stop := s.Watch("g")
	defer stop()
	l.armed.Store(true)
	if _, err := s.Counts(t.Context(), "g"); err != nil {
		t.Errorf("Counts while the connection is cut = %v", err)
	}
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Error("nobody was woken")
	}
}
