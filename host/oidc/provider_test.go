package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"golang.org/x/oauth2"

	"github.com/restante/restante/host"
)

const callback = "http://127.0.0.1:1/admin/callback"

// provider is a real OpenID provider, with the clients "restante" and "other".
type provider struct {
	*httptest.Server
	down atomic.Bool
	// calls counts requests.
	calls atomic.Int32
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	var handler http.Handler
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.calls.Add(1)
		if p.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	clients := map[string]*storage.Client{}
	for _, id := range []string{"restante", "other"} {
		clients[id] = storage.WebClient(id, "a secret of "+id, callback)
	}
	users := storage.NewStorageWithClients(storage.NewUserStore(p.URL), clients)
	handler = exampleop.SetupServer(p.URL, users, slog.New(slog.DiscardHandler), false)
	return p
}

// config has a role by a claim that this provider makes up: an object whose
// "client" is the id of the client.
func (p *provider) config() Config {
	return Config{
		Issuer: p.URL, ClientID: "restante", ClientSecret: "a secret of restante", RedirectURL: callback,
		Scopes: []string{"profile", "email", "custom_scope"}, RoleClaim: "custom_claim.client",
		Roles: map[string]host.Role{"restante": host.Operator}, Title: "Campus ID",
	}
}

func open(t *testing.T, c Config) *Provider {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.http.CloseIdleConnections)
	return p
}

// begin begins a sign-in, and then does what a browser and its user do until the
// provider sends them back.
func begin(t *testing.T, p *Provider) (Begun, url.Values) {
	t.Helper()
	to, b, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	form, err := browser.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(form.Body)
	form.Body.Close()
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindSubmatch(page)
	if err != nil || id == nil {
		t.Fatalf("the provider shows %s %s, %v", form.Status, page, err)
	}
	back, err := browser.PostForm(form.Request.URL.String(), url.Values{
		"id": {string(id[1])}, "username": {"test-user@127.0.0.1"}, "password": {"verysecure"},
	})
	if err != nil {
		t.Fatal(err)
	}
	back.Body.Close()
	location, err := back.Location()
	if err != nil {
		t.Fatalf("the provider answers %s: %v", back.Status, err)
	}
	return b, location.Query()
}

func TestSignIn(t *testing.T) {
	real := startProvider(t)
	p := open(t, real.config())
	if real.calls.Load() != 0 {
		t.Error("New calls the provider")
	}
	b, query := begin(t, p)
	// The pages keep it as JSON.
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var kept Begun
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	got, err := p.Finish(t.Context(), kept, query)
	want := host.Identity{Issuer: real.URL, Subject: "id1", Name: "test-user@127.0.0.1", FullName: "Test User", Role: host.Operator}
	if err != nil || got != want {
		t.Errorf("Finish = %+v, %v, want %+v", got, err, want)
	}
	if _, err := p.Finish(t.Context(), kept, query); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("the same code again = %v", err)
	}
}

func TestBeginHasPKCE(t *testing.T) {
	p := open(t, startProvider(t).config())
	to, b, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"state": b.State, "nonce": b.Nonce, "code_challenge": oauth2.S256ChallengeFromVerifier(b.Verifier), "code_challenge_method": "S256",
		"scope": "openid profile email custom_scope", "redirect_uri": callback, "client_id": "restante", "response_type": "code",
	} {
		if got := u.Query().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, again, _ := p.Begin(t.Context()); again.State == b.State || again.Nonce == b.Nonce || again.Verifier == b.Verifier {
		t.Error("two sign-ins have something in common")
	}
}

func TestFinishRefuses(t *testing.T) {
	real := startProvider(t)
	for name, c := range map[string]struct {
		change func(*Config)
		spoil  func(*Provider, *Begun, url.Values)
		kind   error
		says   string
	}{
		"another state":    {spoil: func(_ *Provider, b *Begun, _ url.Values) { b.State = "x" }, kind: ErrRefused, says: "state"},
		"no state":         {spoil: func(_ *Provider, b *Begun, q url.Values) { b.State = ""; q.Del("state") }, kind: ErrRefused, says: "another browser"},
		"another nonce":    {spoil: func(_ *Provider, b *Begun, _ url.Values) { b.Nonce = "x" }, kind: ErrRefused, says: "nonce"},
		"no nonce":         {spoil: func(_ *Provider, b *Begun, _ url.Values) { b.Nonce = "" }, kind: ErrRefused, says: "nonce"},
		"another verifier": {spoil: func(_ *Provider, b *Begun, _ url.Values) { b.Verifier = oauth2.GenerateVerifier() }, kind: ErrRefused, says: "exchange"},
		"no code":          {spoil: func(_ *Provider, _ *Begun, q url.Values) { q.Del("code") }, kind: ErrRefused, says: "exchange"},
		"another code":     {spoil: func(_ *Provider, _ *Begun, q url.Values) { q.Set("code", "x") }, kind: ErrRefused, says: "exchange"},
		"another issuer":   {spoil: func(_ *Provider, _ *Begun, q url.Values) { q.Set("iss", "https://example.net") }, kind: ErrRefused, says: "issuer"},
		"called off": {spoil: func(_ *Provider, _ *Begun, q url.Values) { q.Set("error", "access_denied") },
			kind: ErrRefused, says: "called off"},
		"out of order": {spoil: func(_ *Provider, _ *Begun, q url.Values) { q.Set("error", "server_error") }, kind: ErrRefused, says: "server_error"},
		"too late": {spoil: func(p *Provider, _ *Begun, _ url.Values) {
			p.now = func() time.Time { return time.Now().Add(BegunLife) }
		}, kind: ErrRefused, says: "too long"},
		"an expired token": {spoil: func(p *Provider, b *Begun, _ url.Values) {
			b.Expires = time.Now().Add(time.Hour * 24)
			p.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
		}, kind: ErrRefused, says: "expired"},
		"another client's code": {spoil: func(p *Provider, _ *Begun, _ url.Values) {
			p.known.Load().oauth.ClientID, p.known.Load().oauth.ClientSecret = "other", "a secret of other"
		}, kind: ErrRefused, says: "exchange"},
		"another client's token": {spoil: func(p *Provider, _ *Begun, _ url.Values) {
			c := p.config
			c.ClientID, c.ClientSecret = "other", "a secret of other"
			other := &Provider{config: c, http: p.http, now: p.now}
			e, err := other.endpoints(context.Background())
			if err != nil {
				panic(err)
			}
			p.known.Load().verifier = e.verifier
		}, kind: ErrRefused, says: "audience"},
		"a wrong secret": {change: func(c *Config) { c.ClientSecret = "x" }, kind: ErrRefused, says: "exchange"},
		"no role claim":  {change: func(c *Config) { c.RoleClaim = "groups" }, kind: ErrNoRole, says: "no role here"},
		"another role":   {change: func(c *Config) { c.Roles = map[string]host.Role{"x": host.Admin} }, kind: ErrNoRole, says: "no role here"},
	} {
		t.Run(name, func(t *testing.T) {
			config := real.config()
			if c.change != nil {
				c.change(&config)
			}
			p := open(t, config)
			b, query := begin(t, p)
			if c.spoil != nil {
				c.spoil(p, &b, query)
			}
			id, err := p.Finish(t.Context(), b, query)
			e, ok := errors.AsType[*Error](err)
			if !ok || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || id != (host.Identity{}) {
				t.Fatalf("Finish = %+v, %v", id, err)
			}
			if e.Public() == "" || e.Cause != nil && strings.Contains(e.Public(), e.Cause.Error()) {
				t.Errorf("people are told %q", e.Public())
			}
		})
	}
}

func TestDefaultRole(t *testing.T) {
	c := startProvider(t).config()
	c.RoleClaim, c.DefaultRole = "groups", host.Viewer
	p := open(t, c)
	b, query := begin(t, p)
	if id, err := p.Finish(t.Context(), b, query); err != nil || id.Role != host.Viewer {
		t.Errorf("Finish = %+v, %v", id, err)
	}
}

func TestProviderIsDown(t *testing.T) {
	real := startProvider(t)
	p := open(t, real.config())
	real.down.Store(true)
	if _, _, err := p.Begin(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "503") {
		t.Errorf("Begin = %v", err)
	}
	real.down.Store(false)
	b, query := begin(t, p)
	real.down.Store(true)
	if _, err := p.Finish(t.Context(), b, query); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Finish = %v", err)
	}
	real.down.Store(false)
	b, query = begin(t, p)
	if _, err := p.Finish(t.Context(), b, query); err != nil {
		t.Errorf("Finish = %v", err)
	}

	gone := open(t, real.config())
	real.Close()
	if _, _, err := gone.Begin(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Begin without a provider = %v", err)
	}
}

// TestHugeAnswer has a provider that never ends.
func TestHugeAnswer(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	p := open(t, Config{Issuer: endless.URL, ClientID: "x", RedirectURL: callback, DefaultRole: host.Viewer})
	if _, _, err := p.Begin(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), errTooLarge.Error()) {
		t.Errorf("Begin = %v", err)
	}
}

func TestRoles(t *testing.T) {
	c := Config{RoleClaim: "a.roles", Roles: map[string]host.Role{"v": host.Viewer, "o": host.Operator, "a": host.Admin}}
	for text, want := range map[string]host.Role{
		`{"a":{"roles":["v","x","a","o",7]}}`:         host.Admin,
		`{"a":{"roles":"o"}}`:                         host.Operator,
		`{"a":{"roles":{"v":{"org":"1"},"x":false}}}`: host.Viewer,
		`{"a.roles":["o"],"a":{"roles":["a"]}}`:       host.Operator,
		`{"a":{"roles":["A"]}}`:                       "",
		`{"a":{"roles":null}}`:                        "",
		`{"a":{"roles":7}}`:                           "",
		`{"a":["roles"]}`:                             "",
		`{}`:                                          "",
	} {
		var of claims
		if err := json.Unmarshal([]byte(text), &of); err != nil {
			t.Fatal(err)
		}
		if got := c.role(of); got != want {
			t.Errorf("%s: the role is %q, want %q", text, got, want)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	good := Config{Issuer: "https://id.example.edu/realm", ClientID: "c", RedirectURL: callback, DefaultRole: host.Viewer}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"no issuer":         func(c *Config) { c.Issuer = "" },
		"no TLS":            func(c *Config) { c.Issuer = "http://id.example.edu" },
		"another scheme":    func(c *Config) { c.Issuer = "ftp://id.example.edu" },
		"a query":           func(c *Config) { c.Issuer += "?x=y" },
		"no client":         func(c *Config) { c.ClientID = "" },
		"no redirect":       func(c *Config) { c.RedirectURL = "" },
		"no role at all":    func(c *Config) { c.DefaultRole = "" },
		"an unknown role":   func(c *Config) { c.DefaultRole = "root" },
		"an unknown role 2": func(c *Config) { c.RoleClaim, c.Roles = "x", map[string]host.Role{"y": "root"} },
		"roles, no claim":   func(c *Config) { c.Roles = map[string]host.Role{"y": host.Viewer} },
		"a claim, no roles": func(c *Config) { c.RoleClaim = "x" },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: New = nil", name)
		}
	}
}

func FuzzRole(f *testing.F) {
	f.Add("a.b", []byte(`{"a":{"b":["v"]}}`))
	f.Fuzz(func(t *testing.T, claim string, text []byte) {
		var of claims
		if json.Unmarshal(text, &of) != nil {
			return
		}
		c := Config{RoleClaim: claim, Roles: map[string]host.Role{"v": host.Viewer}}
		if role := c.role(of); role != "" && !strings.Contains(string(text), "v") && !strings.Contains(string(text), `\`) {
			t.Errorf("%q in %s gives %q", claim, text, role)
		}
	})
}
