package api

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
)

// Limits of waiting polls.
const (
	// LongestWait is the longest time that a fetch may ask to wait.
	LongestWait = 60 * time.Second
	// DefaultMaxWaiting is how many fetches may wait at the same time.
	DefaultMaxWaiting = 1000
)

// Config is what an API needs.
type Config struct {
	// Exchange, Keys and Log are required.
	Exchange *host.Exchange
	Keys     *host.Keys
	Log      hclog.Logger
	// Send has a group sent soon; nil if nothing is sent here.
	Send func(context.Context, host.GroupName) (host.SendStatus, error)
	// Signer returns what signs the documents of a group; it, or what it returns, may
	// be nil.
	Signer func(host.GroupName) *host.Signer
	// Ready returns why the daemon can't serve now, in words that anyone may
	// read, or nil if it can. If Ready is nil the daemon is always ready.
	Ready func() error
	// Metrics answers /metrics for keys that allow it; nil answers 404.
	Metrics http.Handler
	// MaxWait cuts the time that fetches wait; 0 is LongestWait, which it can't
	// exceed.
	MaxWait time.Duration
	// MaxWaiting is how many fetches may wait at the same time; 0 is
	// DefaultMaxWaiting.
	MaxWaiting int
	// Stopping is closed when the daemon begins to stop: fetches that wait then
	// answer at once. http.Server.RegisterOnShutdown is a good moment. It may
	// be nil.
	Stopping <-chan struct{}
}

// API is the handler of every path that machines call. It is safe for
// concurrent use and runs nothing of its own.
type API struct {
	exchange *host.Exchange
	keys     *host.Keys
	send     func(context.Context, host.GroupName) (host.SendStatus, error)
	signer   func(host.GroupName) *host.Signer
	log      hclog.Logger
	ready    func() error
	metrics  http.Handler
	maxWait  time.Duration
	waiting  chan struct{} // holds a value for every fetch that waits
	stopping <-chan struct{}
	router   *mux.Router

	refusals, storeFull, storeFailed sometimes // see often
}

// New returns an API. It fails if c lacks something.
func New(c Config) (*API, error) {
	switch {
	case c.Exchange == nil:
		return nil, errors.New("api: there is no Exchange")
	case c.Keys == nil:
		return nil, errors.New("api: there are no Keys")
	case c.Log == nil:
		return nil, errors.New("api: there is no Log")
	case c.MaxWait < 0 || c.MaxWait > LongestWait:
		return nil, errors.New("api: MaxWait is not within 0 to 60 seconds")
	case c.MaxWaiting < 0:
		return nil, errors.New("api: MaxWaiting is negative")
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	if c.Send == nil {
		c.Send = func(context.Context, host.GroupName) (host.SendStatus, error) {
			return host.SendStatus{}, faultf(errNotReady, "Nothing is sent from here.")
		}
	}
	if c.Signer == nil {
		c.Signer = func(host.GroupName) *host.Signer { return nil }
	}
	if c.Metrics == nil {
		c.Metrics = http.NotFoundHandler()
	}
	if c.MaxWait == 0 {
		c.MaxWait = LongestWait
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = DefaultMaxWaiting
	}
	a := &API{
		exchange: c.Exchange,
		keys:     c.Keys,
		send:     c.Send,
		signer:   c.Signer,
		log:      c.Log,
		ready:    c.Ready,
		metrics:  c.Metrics,
		maxWait:  c.MaxWait,
		waiting:  make(chan struct{}, c.MaxWaiting),
		stopping: c.Stopping,
	}
	a.router = a.newRouter()
	return a, nil
}

const requestIDHeader = "X-Request-Id"

// ServeHTTP gives the request an id, which the response and the log carry, and
// has the router find its handler. A panic of a handler ends its request alone.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(requestIDHeader, strings.ToLower(rand.Text()))
	defer a.recovered(w)
	a.router.ServeHTTP(w, r)
}

func (a *API) recovered(w http.ResponseWriter) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause) // how a handler tells the server to drop the connection
	}
	id := requestID(w)
	a.log.Error("a request panicked", "request_id", id, "panic", cause, "stack", string(debug.Stack()))
	h := w.Header()
	clear(h)
	h.Set(requestIDHeader, id)
	writeProblem(w, internalError, internalError.detail)
}

func requestID(w http.ResponseWriter) string { return w.Header().Get(requestIDHeader) }
