package sender_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/sender"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// office is a store with a group "out", which a Sender sends to a receiver.
type office struct {
	*testing.T
	*receiver
	store    *boltstore.Store
	exchange *host.Exchange
	inbox    *host.Inbox
	outbox   *host.Outbox
	sender   *sender.Sender
	holder   string // of leases

	mu       sync.Mutex
	settings sender.Settings
	place    sender.Place
	outcomes map[host.AttemptOutcome]int
	stop     func()
}

// synthetic runs a test with a clock of its own.
func synthetic(t *testing.T, test func(o *office)) {
	synctest.Test(t, func(t *testing.T) { test(newOffice(t)) })
}

func newOffice(t *testing.T) *office {
	o := &office{T: t, receiver: newReceiver(t), stop: func() {}, outcomes: map[host.AttemptOutcome]int{}, holder: "test"}
	o.settings = sender.Settings{Endpoint: newClient(t, o.receiver), URL: "http://receiver.example", Fingerprint: "1"}
	var err error
	if o.store, err = boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "restante.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(o.store.Check(), o.store.Close()); err != nil {
			t.Error(err)
		}
	})
	queues, err := host.OpenQueues(t.Context(), o.store, []host.Queue{{Group: "out", Method: host.Send}, {Group: "polled"}})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := host.OpenTokens(t.Context(), o.store)
	if err != nil {
		t.Fatal(err)
	}
	o.exchange = &host.Exchange{Store: o.store, Queues: queues, Tokens: tokens, Deliveries: host.NewDeliveries(o.store, time.Now, nil)}
	o.inbox, o.outbox = host.NewInbox(o.store, time.Now), host.NewOutbox(o.store)
	t.Cleanup(func() { o.stop() })
	return o
}

// open starts the sender. A second call is a restart of the daemon.
func (o *office) open() *office {
	o.Helper()
	o.stop()
	var err error
	o.sender, err = sender.New(sender.Config{
		Exchange: o.exchange, Outbox: o.outbox, Leases: host.NewLeases(o.store, o.holder, time.Now), Inbox: o.inbox,
		Log: hclog.NewNullLogger(), Settings: o.settingsOf, Place: o.placeNow,
		Elsewhere: func(_ host.GroupName, url string, local bool) (sender.Endpoint, error) {
			if url != "http://test.example" && !local {
				return nil, errors.New("it must not lead there")
			}
			return o.settings.Endpoint, nil
		},
		Observe: func(_ host.GroupName, a host.AttemptOutcome) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.outcomes[a]++
		},
	})
	if err != nil {
		o.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.sender.Run(ctx) }()
	o.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			o.Error(err)
		}
	})
	synctest.Wait()
	return o
}

func (o *office) settingsOf(host.GroupName) sender.Settings {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.settings
}

func (o *office) placeNow() sender.Place {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.place
}

// set changes the settings and has them take effect.
func (o *office) set(change func(*sender.Settings)) {
	o.mu.Lock()
	change(&o.settings)
	o.mu.Unlock()
	if o.sender != nil {
		o.sender.Reconfigure()
		o.wait(0)
	}
}

// add adds the messages from one number to another.
func (o *office) add(first, last int) {
	o.Helper()
	var lines strings.Builder
	for n := first; n <= last; n++ {
		fmt.Fprintln(&lines, n)
	}
	if _, err := o.exchange.Add(o.Context(), host.AddRequest{Group: "out", Body: []byte(lines.String()), Lines: true}); err != nil {
		o.Fatal(err)
	}
}

// wait lets time pass, and everything that happens then.
func (o *office) wait(d time.Duration) {
	time.Sleep(d + time.Microsecond)
	synctest.Wait()
}

func (o *office) status() host.SendStatus {
	o.Helper()
	s, err := o.sender.Status(o.Context(), "out")
	if err != nil {
		o.Fatal(err)
	}
	return s
}

// open reports of the inbox.
func (o *office) reports() []host.ErrorReport {
	o.Helper()
	all, err := o.inbox.Open(o.Context())
	if err != nil {
		o.Fatal(err)
	}
	return all
}
