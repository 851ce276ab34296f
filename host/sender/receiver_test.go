package sender_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host/sender/endpoint"
)

// received is a request as the receiver saw it.
type received struct {
	at            time.Time
	method, path  string
	key, lease    string
	body          string
	header        http.Header
	first, latest int // the numbers of the messages, from their data
}

// receiver is an external system that does as it is told. It is served in memory, so
// that time may be synthetic.
type receiver struct {
	mu     sync.Mutex
	all    []received
	answer func(n int, w http.ResponseWriter, r received) // of the n-th request, from 1
	pipes  chan net.Conn
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{pipes: make(chan net.Conn)}
	server := &http.Server{Handler: r}
	l := &pipeListener{r.pipes, make(chan struct{}), sync.Once{}}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		server.Close()
		serving.Wait()
		time.Sleep(time.Hour) // for handlers that take their time
	})
	return r
}

type pipeListener struct {
	pipes  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.pipes:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	got := received{
		at: time.Now(), method: q.Method, path: q.URL.RequestURI(), key: q.Header.Get("Idempotency-Key"),
		lease: q.Header.Get("Restante-Lease"), body: string(body), header: q.Header,
	}
	for line := range strings.Lines(got.body) {
		if n, err := strconv.Atoi(strings.TrimSpace(strings.Trim(strings.TrimSpace(line), `"adt:,`))); err == nil {
			if got.first == 0 {
				got.first = n
			}
			got.latest = n
		}
	}
	r.mu.Lock()
	r.all = append(r.all, got)
	n, answer := len(r.all), r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(n, w, got)
	}
}

func (r *receiver) got() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

func (r *receiver) script(answer func(n int, w http.ResponseWriter, r received)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// client is an Endpoint that calls a receiver.
type client struct{ http.Client }

func newClient(t *testing.T, r *receiver) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case r.pipes <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

func (c *client) Send(ctx context.Context, r endpoint.Request) (a endpoint.Answer) {
	a.Began, a.Method, a.URL = time.Now(), "POST", "http://receiver.example"+r.Path
	defer func() { a.Took = time.Since(a.Began) }()
	if r.Method != "" {
		a.Method = r.Method
	}
	if len(r.Query) > 0 {
		a.URL += "?" + r.Query.Encode()
	}
	q, err := http.NewRequestWithContext(ctx, a.Method, a.URL, bytes.NewReader(r.Body))
	if err != nil {
		a.Err = err
		return a
	}
	q.Header = r.Header.Clone()
	q.Header.Set("Content-Type", r.ContentType)
	q.Header.Set("Idempotency-Key", r.ID)
	q.Header.Set("Restante-Lease", strconv.FormatUint(r.Lease, 10))
	answer, err := c.Do(q)
	if err != nil {
		a.Err = err
		return a
	}
	defer answer.Body.Close()
	a.Status, a.Header = answer.StatusCode, answer.Header
	if a.Body, a.Err = io.ReadAll(io.LimitReader(answer.Body, 4096)); a.Err != nil {
		a.Status = 0
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		a.RetryAfter = time.Duration(seconds) * time.Second
	}
	a.Permanent = a.Status >= 400 && a.Status < 500 && a.Status != 408 && a.Status != 429
	return a
}

// ranges writes what was received: "1-3 4-5".
func ranges(all []received) string {
	var text []string
	for _, r := range all {
		text = append(text, fmt.Sprintf("%d-%d", r.first, r.latest))
	}
	return strings.Join(text, " ")
}

func status(code int) func(int, http.ResponseWriter, received) {
	return func(_ int, w http.ResponseWriter, _ received) { w.WriteHeader(code) }
}
