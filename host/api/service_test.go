package api_test

import (
	"bytes"
	"context"
	"flag"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/api"
	"github.com/restante/restante/host/boltstore"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The groups of every service in these tests.
var queues = []host.Queue{
	{Group: "student", Method: host.Poll, Title: "Student records"},
	{Group: "other", Method: host.Poll},
	{Group: "push", Method: host.Send},
	{Group: "formatted", Method: host.Poll, Plugin: "records", Formats: true},
}

// service is a whole server on a real listener, over a real store.
type service struct {
	url, address string
	exchange     *host.Exchange
	keys         *host.Keys
	api          *api.API
	server       *http.Server
	store        *brittle
	formatters   *scripted
	log          *syncBuffer
	notReady     atomic.Pointer[error]
	clock        atomic.Int64 // how far the clock of the keys is ahead
	stop         func()

	// Keys for everything about student, for everything, and for other.
	student, all, other string
}

type option func(*api.Config, *http.Server)

var messageTime = time.Date(2019, 2, 15, 10, 32, 1, 987654321, time.UTC)

func start(t *testing.T, options ...option) *service {
	t.Helper()
	ctx := t.Context()
	bolt, err := boltstore.Open(boltstore.Config{
		Path: filepath.Join(t.TempDir(), "restante.db"),
		Now:  func() time.Time { return messageTime },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bolt.Close() })
	s := &service{store: &brittle{Store: bolt, watched: make(chan struct{}, 1)}, formatters: &scripted{}, log: &syncBuffer{}}
	tokens, err := host.OpenTokens(ctx, bolt)
	if err != nil {
		t.Fatal(err)
	}
	known, err := host.OpenQueues(ctx, bolt, queues)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) }
	if s.keys, err = host.OpenKeys(ctx, bolt, now); err != nil {
		t.Fatal(err)
	}
	s.exchange = &host.Exchange{Store: s.store, Queues: known, Tokens: tokens, Formatters: s.formatters}

	stopping := make(chan struct{})
	log := hclog.New(&hclog.LoggerOptions{Output: s.log, Level: hclog.Debug})
	config := api.Config{
		Exchange: s.exchange,
		Send:     s.send,
		Keys:     s.keys,
		Log:      log.Named("api"),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write([]byte("up 1\n"))
		}),
		Stopping: stopping,
		Ready: func() error {
			if p := s.notReady.Load(); p != nil {
				return *p
			}
			return nil
		},
	}
	s.server = api.NewServer(nil, log)
	for _, o := range options {
		o(&config, s.server)
	}
	if s.api, err = api.New(config); err != nil {
		t.Fatal(err)
	}
	s.server.Handler = s.api
	s.server.RegisterOnShutdown(sync.OnceFunc(func() { close(stopping) }))
	s.listen(t)
	s.student = s.key(t, host.Grant{Groups: []host.GroupName{"student"}, Allow: []host.Permission{host.MayPoll, host.MayAdd}})
	s.other = s.key(t, host.Grant{Groups: []host.GroupName{"other"}, Allow: []host.Permission{host.MayPoll, host.MayAdd}})
	s.all = s.key(t, host.Grant{Groups: []host.GroupName{host.EveryGroup}, Allow: []host.Permission{host.MayPoll, host.MayAdd, host.MaySend}})
	return s
}

// send is a sender that has nothing to do.
func (s *service) send(ctx context.Context, g host.GroupName) (host.SendStatus, error) {
	if _, err := s.exchange.SendQueue(g); err != nil {
		return host.SendStatus{}, err
	}
	if p := s.store.failure.Load(); p != nil {
		return host.SendStatus{}, *p
	}
	counts, err := s.store.Counts(ctx, g)
	return host.SendStatus{Group: g, State: host.SendGaveUp, Reason: "the receiver said a secret", Outstanding: counts.Unread}, err
}

func (s *service) listen(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	s.url = "http://" + s.address
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.server.Serve(l); err != http.ErrServerClosed {
			t.Errorf("Serve = %v, want %v", err, http.ErrServerClosed)
		}
	}()
	s.stop = sync.OnceFunc(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		<-done
	})
	t.Cleanup(s.stop)
}

func (s *service) key(t *testing.T, g host.Grant) string {
	t.Helper()
	text, _, err := s.keys.Create(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// fill adds messages to a group.
func (s *service) fill(t *testing.T, g host.GroupName, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if _, err := s.exchange.Add(t.Context(), host.AddRequest{Group: g, Body: []byte(m)}); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *service) unread(t *testing.T, g host.GroupName) uint64 {
	t.Helper()
	counts, err := s.store.Counts(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return counts.Unread
}

// brittle is a store that fails to write messages on demand.
type brittle struct {
	host.Store
	failure  atomic.Pointer[error]
	watching atomic.Int64
	watched  chan struct{} // a hint that watching has changed
}

// breakWith has all writes of messages fail from now on, nil ends it.
func (b *brittle) breakWith(err error) {
	if err == nil {
		b.failure.Store(nil)
		return
	}
	b.failure.Store(&err)
}

func (b *brittle) Append(ctx context.Context, a host.Addition) ([]host.ID, error) {
	if p := b.failure.Load(); p != nil {
		return nil, *p
	}
	return b.Store.Append(ctx, a)
}

func (b *brittle) Move(ctx context.Context, g host.GroupName, ids host.Ranges, to host.Status, record ...host.JournalEntry) (uint64, host.Counts, error) {
	if p := b.failure.Load(); p != nil {
		return 0, host.Counts{}, *p
	}
	return b.Store.Move(ctx, g, ids, to, record...)
}

// scripted is host.Formatters that writes what it is told to.
type scripted struct {
	mu    sync.Mutex
	write func(host.Batch) (host.Document, error)
}

func (f *scripted) set(write func(host.Batch) (host.Document, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.write = write
}

func (f *scripted) WriteMessages(_ context.Context, _ string, b host.Batch) (host.Document, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.write(b)
}

func (f *scripted) FormatHTTPRequest(context.Context, string, host.Batch, host.Document) (host.HTTPRequest, error) {
	return host.HTTPRequest{}, nil
}

func (f *scripted) Edition(string) host.Edition { return host.Edition{} }

func (f *scripted) Understudy(context.Context, string, host.GroupName) (host.Understudy, error) {
	return nil, &host.UnavailableError{Plugin: "records", Reason: "there is but one of it"}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
