package natsstore_test

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/natsstore"
)

// answer is what a store sends when it was handed something.
var answer = regexp.MustCompile(`PUB test\d+\.a\.`)

// mute is a dialer whose connections can be made to stand still, or to lose answers to
// what was handed over.
type mute struct {
	still   sync.RWMutex // locked for writing while they stand still
	silent  atomic.Bool
	skipped atomic.Int64
}

func (d *mute) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &muteConn{c, d}, err
}

type muteConn struct {
	net.Conn
	dialer *mute
}

func (c *muteConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.dialer.still.RLock()
	defer c.dialer.still.RUnlock()
	return n, err
}

func (c *muteConn) Write(b []byte) (int, error) {
	c.dialer.still.RLock()
	defer c.dialer.still.RUnlock()
	if c.dialer.silent.Load() && answer.Match(b) {
		c.dialer.skipped.Add(1)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// contending opens a store for two daemons, of which b hands over to a: b was slower.
func contending(t *testing.T, servers int, dialer *mute) (a, b *natsstore.Store, handed *atomic.Int64) {
	t.Helper()
	conf := config(t, sharedCluster(t, servers))
	withDialer := conf
	if dialer != nil {
		withDialer.Options = []nats.Option{nats.SetCustomDialer(dialer)}
	}
	a, b = open(t, withDialer), open(t, conf)
	handed = watch(t, conf, conf.Prefix+".a.>")
	add(t, b, `"b"`)
	add(t, a, `"a"`)
	add(t, b, `"b again"`) // it takes the end to be where it was
	seen(t, handed)
	return a, b, handed
}

// watch counts the messages of a subject.
func watch(t *testing.T, conf natsstore.Config, subject string, options ...nats.Option) *atomic.Int64 {
	t.Helper()
	conn, err := nats.Connect(strings.Join(conf.URLs, ","), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	n := new(atomic.Int64)
	if _, err := conn.Subscribe(subject, func(*nats.Msg) { n.Add(1) }); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return n
}

// seen waits until one was counted.
func seen(t *testing.T, n *atomic.Int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); n.Load() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is handed over")
		}
	}
}

func add(t *testing.T, s *natsstore.Store, data string) host.ID {
	t.Helper()
	ids, err := s.Append(t.Context(), host.Addition{Group: "g", Data: messages(data)})
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

// wantOnce fails unless each message of data is there once.
func wantOnce(t *testing.T, s *natsstore.Store, data ...string) {
	t.Helper()
	all, err := s.List(t.Context(), "g", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, m := range all {
		n[string(m.Data)]++
	}
	for _, d := range data {
		if n[d] != 1 {
			t.Errorf("%s is there %d times", d, n[d])
		}
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestHandover has what two daemons append go through one of them, which does with
// it as with its own.
func TestHandover(t *testing.T) {
	a, b, handed := contending(t, 3, nil)
	before := handed.Load()
	var wait sync.WaitGroup
	var want []string
	for i := range 40 {
		data := fmt.Sprintf(`"at once %d"`, i)
		want = append(want, data)
		wait.Go(func() { add(t, []*natsstore.Store{a, b}[i%2], data) })
	}
	wait.Wait()
	wantOnce(t, a, want...)
	if handed.Load() == before {
		t.Error("nothing was handed over")
	}
	with := func(key, data string) ([]host.ID, error) {
		return b.Append(t.Context(), host.Addition{Group: "g", Key: key, Data: messages(data, `2`)})
	}
	first, err := with("key", `"keyed"`)
	if err != nil || len(first) != 2 || first[1] != first[0]+1 {
		t.Fatalf("Append with a key = %v, %v", first, err)
	}
	if again, err := with("key", `"keyed"`); err != nil || again[0] != first[0] {
		t.Errorf("Append again = %v, %v, want %v", again, err, first)
	}
	if _, err := with("key", `"other"`); !errors.Is(err, host.ErrKeyReused) {
		t.Errorf("Append of other data = %v", err)
	}
	wantOnce(t, b, `"keyed"`)
}

// TestHandoverWithFewRights has daemons that may do no more than docs/cluster.md asks
// for.
func TestHandoverWithFewRights(t *testing.T) {
	c := testCluster(t, 1, func(o *server.Options) {
		o.Users = []*server.User{{Username: "few", Password: "p", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"restante.>", "$JS.API.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"restante.>", "_INBOX.>", "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.>"}},
		}}, {Username: "all", Password: "p"}}
	})
	conf := config(t, c)
	conf.Prefix, conf.Options = "", []nats.Option{nats.UserInfo("few", "p")}
	a, b := open(t, conf), open(t, conf)
	answers := watch(t, conf, "restante.a.*.*", nats.UserInfo("all", "p"))
	add(t, b, `"b"`)
	add(t, a, `"a"`)
	for i := range 10 {
		add(t, b, fmt.Sprint(i))
	}
	seen(t, answers)
	wantOnce(t, a, "0", "9")
}

// TestHandoverToClosed has the daemon closed that takes over. The other goes on at
// once, or would wait for an answer for a second. As any machine may stand still for
// that long, once in a few times is enough.
func TestHandoverToClosed(t *testing.T) {
	var slowest time.Duration
	for range 5 {
		if slowest = handOverToClosed(t); slowest < 900*time.Millisecond {
			return
		}
	}
	t.Errorf("an addition took %s", slowest)
}

// handOverToClosed returns how long the slowest addition took.
func handOverToClosed(t *testing.T) (slowest time.Duration) {
	a, b, _ := contending(t, 3, nil)
	stop := make(chan struct{})
	var want []string
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			data, began := fmt.Sprintf(`"closed %d"`, i), time.Now()
			add(t, b, data)
			want = append(want, data)
			slowest = max(slowest, time.Since(began))
		}
	})
	time.Sleep(200 * time.Millisecond)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	time.Sleep(200 * time.Millisecond)
	close(stop)
	wait.Wait()
	wantOnce(t, b, want[max(len(want)-100, 0):]...)
	return slowest
}

// TestHandoverToStill has the daemon stand still that takes over: the other appends
// itself, and what was handed over is not appended again when that one goes on.
func TestHandoverToStill(t *testing.T) {
	d := new(mute)
	a, b, handed := contending(t, 1, d)
	before := handed.Load()
	d.still.Lock()
	id := add(t, b, `"still"`)
	if handed.Load() == before {
		t.Error("nothing was handed over")
	}
	d.still.Unlock()
	if got := add(t, a, `"goes on"`); got != id+1 {
		t.Errorf("the next message has the id %d, want %d", got, id+1)
	}
	wantOnce(t, a, `"still"`, `"goes on"`)
}

// TestHandoverAnswerLost has what was handed over appended, and the answer lost.
func TestHandoverAnswerLost(t *testing.T) {
	d := new(mute)
	a, b, handed := contending(t, 1, d)
	before := handed.Load()
	d.silent.Store(true)
	id := add(t, b, `"unanswered"`)
	if handed.Load() == before || d.skipped.Load() == 0 {
		t.Errorf("%d handed over, %d answers lost", handed.Load()-before, d.skipped.Load())
	}
	d.silent.Store(false)
	m, err := a.Message(t.Context(), "g", id)
	if err != nil || string(m.Data) != `"unanswered"` {
		t.Errorf("message %d is %s, %v", id, m.Data, err)
	}
	wantOnce(t, a, `"unanswered"`)
}
