package admin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/admin"
	"github.com/restante/restante/host/boltstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The groups of every site in these tests.
var queues = []host.Queue{
	{Group: "plain", Method: host.Poll, Title: "Plain"},
	{Group: "empty", Method: host.Poll},
	{Group: "push", Method: host.Send},
	{Group: "formatted", Method: host.Poll, Plugin: "records", Formats: true},
}

// site is all pages on a real listener, over a real store.
type site struct {
	url        string
	admin      *admin.Admin
	exchange   *host.Exchange
	keys       *host.Keys
	users      *host.Users
	inbox      *host.Inbox
	audit      *host.Audit
	activities *host.Activities
	store      *brittle
	plugins    *shelf
	sender     *dispatch
	formatters *scripted
	provider   *elsewhere
	log        *syncBuffer
	outside    atomic.Pointer[string]
	clock      atomic.Int64 // how far the clock of users and keys is ahead
}

func start(t testing.TB, options ...func(*admin.Config)) *site {
	t.Helper()
	ctx := t.Context()
	bolt, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "restante.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bolt.Close() })
	s := &site{store: &brittle{Store: bolt}, plugins: &shelf{}, sender: &dispatch{}, formatters: &scripted{}, provider: &elsewhere{}, log: &syncBuffer{}}
	now := func() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tokens, err := host.OpenTokens(ctx, bolt)
	must(err)
	known, err := host.OpenQueues(ctx, bolt, queues)
	must(err)
	s.keys, err = host.OpenKeys(ctx, bolt, now)
	must(err)
	s.users, err = host.OpenUsers(ctx, s.store, quickHasher{}, now)
	must(err)
	s.activities, err = host.OpenActivities(ctx, bolt, time.Now)
	must(err)
	s.inbox, s.audit = host.NewInbox(s.store, time.Now), host.NewAudit(s.store)
	s.exchange = &host.Exchange{
		Store: s.store, Queues: known, Tokens: tokens, Formatters: s.formatters, Observer: s.activities,
		Deliveries: host.NewDeliveries(s.store, time.Now, nil),
	}
	t.Cleanup(func() { s.exchange.Deliveries.Close(context.Background()) })
	c := admin.Config{
		Exchange: s.exchange, Keys: s.keys, Users: s.users, Inbox: s.inbox, Audit: s.audit, Activities: s.activities,
		Plugins: s.plugins, Sender: s.sender, Provider: s.provider, Log: hclog.New(&hclog.LoggerOptions{Output: s.log, Level: hclog.Debug}),
		URL: func() string { return *s.outside.Load() },
		Diff: func(before, after host.Document) string {
			return "-" + string(before.Body) + "\n+" + string(after.Body)
		},
	}
	for _, o := range options {
		o(&c)
	}
	s.admin, err = admin.New(c)
	must(err)
	server := httptest.NewServer(s.admin)
	s.url = server.URL
	s.outside.Store(&s.url)
	t.Cleanup(func() {
		server.Close()
		s.admin.Close()
	})
	for _, name := range []string{"viewer", "operator", "admin"} {
		token, _, err := s.users.Invite(ctx, name, host.Role(name), "")
		must(err)
		_, _, err = s.users.Accept(ctx, token, password, host.SignInFrom{})
		must(err)
	}
	return s
}

const password = "correct horse battery"

// fill adds messages to a group.
func (s *site) fill(t testing.TB, g host.GroupName, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if _, err := s.exchange.Add(t.Context(), host.AddRequest{Group: g, Body: []byte(m)}); err != nil {
			t.Fatal(err)
		}
	}
}

// deliver fetches the messages of a group, marks them, and returns the id of the
// delivery.
func (s *site) deliver(t testing.TB, g host.GroupName) string {
	t.Helper()
	f, err := s.exchange.Fetch(t.Context(), g, 16, host.Caller{Address: "192.0.2.1:80"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.exchange.Mark(t.Context(), g, f.Token, nil, host.Caller{}); err != nil {
		t.Fatal(err)
	}
	return f.Delivery
}

// report raises an error report and returns its id.
func (s *site) report(t testing.TB, r host.ErrorReport) string {
	t.Helper()
	if err := s.inbox.Raise(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	open, err := s.inbox.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(open, func(o host.ErrorReport) bool { return o.Kind == r.Kind && o.Group == r.Group && o.Plugin == r.Plugin })
	return open[i].ID
}

// audited counts the entries of the audit log, apart from sign-ins.
func (s *site) audited(t testing.TB) (actions []string) {
	t.Helper()
	entries, err := s.audit.List(t.Context(), "", 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		actions = append(actions, e.Action)
	}
	return actions
}

// visitor is a browser: it keeps cookies, and follows nothing by itself.
type visitor struct {
	t       testing.TB
	s       *site
	cookies map[string]string
	header  http.Header
	last    *http.Response
}

// visit returns the browser of somebody who has signed in; of an anonymous visitor
// if user is empty.
func (s *site) visit(t testing.TB, user string) *visitor {
	t.Helper()
	v := &visitor{t: t, s: s, cookies: map[string]string{}, header: http.Header{}}
	if user == "" {
		return v
	}
	token, _, err := s.users.SignIn(t.Context(), user, password, host.SignInFrom{})
	if err != nil {
		t.Fatal(err)
	}
	v.cookies["restante-session"] = token
	return v
}

// answer is what the site has answered.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

func (v *visitor) get(path string) answer { v.t.Helper(); return v.send("GET", path, "") }

func (v *visitor) post(path string, form url.Values) answer {
	v.t.Helper()
	return v.send("POST", path, form.Encode())
}

func (v *visitor) send(method, path, body string) answer {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.s.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	for name, values := range v.header {
		r.Header[name] = values
	}
	if method == "POST" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		v.t.Fatalf("%s %.200s: %v", method, path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatalf("%s %.200s: %v", method, path, err)
	}
	for _, c := range response.Cookies() {
		if v.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	v.last = response
	return answer{response.StatusCode, response.Header, string(text)}
}

// signedIn tells whether the site takes the visitor for somebody.
func (v *visitor) signedIn() bool {
	v.t.Helper()
	return v.get("/admin/").status == http.StatusOK
}

// check holds an answer to a status and to what it says.
func check(t testing.TB, what string, a answer, status int, says ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s = %d, want %d; it says %.600s", what, a.status, status, a.body)
		return
	}
	for _, text := range says {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s does not say %q: %.2000s", what, text, a.body)
		}
	}
}

// quickHasher is a hasher that takes no time.
type quickHasher struct{}

func (quickHasher) Hash(password string) (string, error) {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:]), nil
}

func (h quickHasher) Verify(password, hash string) bool {
	again, _ := h.Hash(password)
	return again == hash
}

func (quickHasher) NeedsRehash(string) bool { return false }

// brittle is a store that fails on demand.
type brittle struct {
	host.Store
	// writes and reads are what changes and looks fail with; nil is not.
	writes, reads atomic.Pointer[error]
	// records is what reading a record fails with.
	records atomic.Pointer[error]
}

var errSecret = errors.New("open /very/secret/path: input/output error")

func fault(p *atomic.Pointer[error]) error {
	if err := p.Load(); err != nil {
		return *err
	}
	return nil
}

func (b *brittle) AppendEntry(ctx context.Context, journal string, e host.Entry, once bool) (uint64, error) {
	if err := fault(&b.writes); err != nil {
		return 0, err
	}
	return b.Store.AppendEntry(ctx, journal, e, once)
}

func (b *brittle) Record(ctx context.Context, bucket, key string) (host.Record, error) {
	if err := fault(&b.records); err != nil {
		return host.Record{}, err
	}
	return b.Store.Record(ctx, bucket, key)
}

func (b *brittle) PutRecord(ctx context.Context, bucket string, r host.Record) (uint64, error) {
	if err := fault(&b.writes); err != nil {
		return 0, err
	}
	return b.Store.PutRecord(ctx, bucket, r)
}

func (b *brittle) DeleteRecord(ctx context.Context, bucket string, r host.Record) error {
	if err := fault(&b.writes); err != nil {
		return err
	}
	return b.Store.DeleteRecord(ctx, bucket, r)
}

func (b *brittle) Append(ctx context.Context, a host.Addition) ([]host.ID, error) {
	if err := fault(&b.writes); err != nil {
		return nil, err
	}
	return b.Store.Append(ctx, a)
}

func (b *brittle) Move(ctx context.Context, g host.GroupName, ids host.Ranges, to host.Status, record ...host.JournalEntry) (uint64, host.Counts, error) {
	if err := fault(&b.writes); err != nil {
		return 0, host.Counts{}, err
	}
	return b.Store.Move(ctx, g, ids, to, record...)
}

func (b *brittle) Message(ctx context.Context, g host.GroupName, id host.ID) (host.Listed, error) {
	if err := fault(&b.reads); err != nil {
		return host.Listed{}, err
	}
	return b.Store.Message(ctx, g, id)
}

func (b *brittle) Counts(ctx context.Context, g host.GroupName) (host.Counts, error) {
	if err := fault(&b.reads); err != nil {
		return host.Counts{}, err
	}
	return b.Store.Counts(ctx, g)
}

// shelf is a plugin folder that holds what it is told to.
type shelf struct {
	mu       sync.Mutex
	all      []host.PluginStatus
	done     []string
	err      error
	panicked any
}

func (s *shelf) put(all ...host.PluginStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = all
}

func (s *shelf) List() []host.PluginStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.panicked != nil {
		panic(s.panicked)
	}
	return slices.Clone(s.all)
}

func (s *shelf) note(what, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, what+" "+name)
	return s.err
}

func (s *shelf) Approve(_ context.Context, name string) error  { return s.note("approve", name) }
func (s *shelf) RollBack(_ context.Context, name string) error { return s.note("roll back", name) }
func (s *shelf) Restart(_ context.Context, name string) error  { return s.note("restart", name) }

// dispatch is what sends, and says and does what it is told to. It sends nothing.
type dispatch struct {
	mu       sync.Mutex
	status   host.SendStatus
	attempts []host.Attempt
	tested   host.Attempt
	err      error // of what changes something
	done     []string
}

func (d *dispatch) put(s host.SendStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = s
}

func (d *dispatch) Status(_ context.Context, g host.GroupName) (host.SendStatus, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status
	if s.Group = g; s.State == "" {
		s.State = host.SendIdle
	}
	return s, nil
}

func (d *dispatch) note(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, what)
	return d.err
}

func (d *dispatch) Trigger(ctx context.Context, g host.GroupName) (host.SendStatus, error) {
	if err := d.note("send " + string(g)); err != nil {
		return host.SendStatus{}, err
	}
	return d.Status(ctx, g)
}

func (d *dispatch) Pause(_ context.Context, g host.GroupName, by string) error {
	return d.note("pause " + string(g) + " by " + by)
}

func (d *dispatch) Resume(_ context.Context, g host.GroupName) error {
	return d.note("resume " + string(g))
}

func (d *dispatch) Test(_ context.Context, g host.GroupName, url string) (host.Attempt, error) {
	return d.tested, d.note("test " + string(g) + " " + url)
}

func (d *dispatch) Attempts(context.Context, host.GroupName, string) ([]host.Attempt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.attempts), nil
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

// writes has it write one document.
func (f *scripted) writes(contentType, filename string, body []byte) {
	f.set(func(host.Batch) (host.Document, error) {
		return host.Document{ContentType: contentType, Filename: filename, Body: body}, nil
	})
}

func (f *scripted) WriteMessages(_ context.Context, _ string, b host.Batch) (host.Document, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.write == nil {
		return host.Document{}, &host.UnavailableError{Plugin: "records", Reason: "it is not there", Detail: "no file /secret/records"}
	}
	return f.write(b)
}

func (f *scripted) Edition(string) host.Edition { return host.Edition{} }

func (f *scripted) Understudy(context.Context, string, host.GroupName) (host.Understudy, error) {
	return nil, &host.UnavailableError{Plugin: "records", Reason: "there is but one of it"}
}

// elsewhere is a provider that takes everybody for the same one.
type elsewhere struct {
	err      error
	identity host.Identity
}

func (e *elsewhere) Title() string { return "Campus <b>ID</b>" }

func (e *elsewhere) Begin(context.Context) (string, []byte, error) {
	return "https://id.example.edu/authorize", []byte("begun"), e.err
}

func (e *elsewhere) Finish(_ context.Context, begun []byte, query url.Values) (host.Identity, error) {
	if string(begun) != "begun" || query.Get("state") != "known" {
		return host.Identity{}, errors.New("secret: the state is another")
	}
	return e.identity, e.err
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

func (*scripted) FormatHTTPRequest(context.Context, string, host.Batch, host.Document) (host.HTTPRequest, error) {
	return host.HTTPRequest{}, nil
}
