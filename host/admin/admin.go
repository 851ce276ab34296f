package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
)

// Base is the path of all pages.
const Base = "/admin/"

// Plugins is what the pages need of the plugin host.
type Plugins interface {
	List() []host.PluginStatus
	Approve(ctx context.Context, name string) error
	RollBack(ctx context.Context, name string) error
	Restart(ctx context.Context, name string) error
}

// Sender is what the pages need of what sends.
type Sender interface {
	Status(ctx context.Context, g host.GroupName) (host.SendStatus, error)
	Trigger(ctx context.Context, g host.GroupName) (host.SendStatus, error)
	Pause(ctx context.Context, g host.GroupName, by string) error
	Resume(ctx context.Context, g host.GroupName) error
	// Test must not let the URL lead where the configuration of the group does not
	// allow it: whoever uses the pages may be anywhere.
	Test(ctx context.Context, g host.GroupName, url string) (host.Attempt, error)
	Attempts(ctx context.Context, g host.GroupName, delivery string) ([]host.Attempt, error)
}

// Cluster is what the pages need of the servers that daemons share. What it says
// comes within the time of ctx, as far as it is known by then.
type Cluster interface {
	Status(ctx context.Context) (host.ClusterStatus, error)
	Remove(ctx context.Context, node string) error
}

// Provider signs people in elsewhere.
type Provider interface {
	// Title is for the button.
	Title() string
	// Begin returns where to send the browser, and what Finish needs to know
	// again.
	Begin(ctx context.Context) (to string, begun []byte, err error)
	// Finish returns who has come back with a query.
	Finish(ctx context.Context, begun []byte, query url.Values) (host.Identity, error)
}

// Config is what the pages need. All but Cluster, Provider, Notice and Version is
// required.
type Config struct {
	Exchange   *host.Exchange
	Keys       *host.Keys
	Users      *host.Users
	Inbox      *host.Inbox
	Audit      *host.Audit
	Activities *host.Activities
	Plugins    Plugins
	Sender     Sender
	// Cluster is nil if the store is a file of the daemon alone.
	Cluster Cluster
	Log     hclog.Logger
	// URL returns the address that the daemon is reached at from outside, without
	// a path, such as "https://restante.example". Cookies are marked Secure if it
	// begins with https.
	URL func() string
	// Provider is another way to sign in; it may be nil.
	Provider Provider
	// Diff compares two documents, for people.
	Diff func(before, after host.Document) string
	// Notice is something that every page says, such as that nothing is sent from
	// a clone; it may be nil, and return "".
	Notice func() string
	// Version is the daemon's.
	Version string
}

// Admin is the handler of all pages. It is safe for concurrent use. Close it when
// nothing is asked any more.
type Admin struct {
	Config
	mux    http.Handler
	cross  *http.CrossOriginProtection
	jobs   *jobs
	sealer *sealer
	recent *recent
	// formatting is how many documents are made at the same time for pages: each
	// takes memory.
	formatting chan struct{}
	// testing is how many test batches are sent at the same time.
	testing chan struct{}
}

// New returns the pages.
func New(c Config) (*Admin, error) {
	switch {
	case c.Exchange == nil, c.Exchange.Deliveries == nil, c.Keys == nil, c.Users == nil, c.Inbox == nil, c.Audit == nil, c.Activities == nil:
		return nil, errors.New("admin: a part of the domain is missing")
	case c.Plugins == nil, c.Sender == nil, c.Log == nil, c.URL == nil, c.Diff == nil:
		return nil, errors.New("admin: Plugins, Sender, Log, URL or Diff is missing")
	}
	if c.Notice == nil {
		c.Notice = func() string { return "" }
	}
	a := &Admin{Config: c, jobs: newJobs(time.Now), cross: http.NewCrossOriginProtection(), sealer: newSealer(), recent: newRecent(time.Now), formatting: make(chan struct{}, 2), testing: make(chan struct{}, 2)}
	a.mux = a.newMux()
	return a, nil
}

// Close ends the jobs that run, and waits for them.
func (a *Admin) Close() { a.jobs.close() }

// policy is the content security policy of every page: nothing but our own style
// sheet and script, no inline script, no frames.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const (
	// maxForm is the largest form, and larger than any but one: 128 KiB.
	maxForm = 128 << 10
	// maxAddForm is the largest form with a message to be added, and its escapes.
	maxAddForm = 3*host.MaxMessageBytes + maxForm
)

// ServeHTTP answers a request. A panic of a handler ends its request alone.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := strings.ToLower(rand.Text())
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if a.secure(r) {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if cause == http.ErrAbortHandler {
			panic(cause)
		}
		a.Log.Error("a page panicked", "request_id", id, "panic", cause, "stack", string(debug.Stack()))
		http.Error(w, "Something went wrong inside the server. Request "+id+".", http.StatusInternalServerError)
	}()
	a.mux.ServeHTTP(w, r)
}

// secure tells whether the browser speaks TLS, with us or with the proxy in
// front.
func (a *Admin) secure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(a.URL(), "https://")
}
