package admin_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/admin"
)

func signInForm(name, password string) url.Values {
	return url.Values{"name": {name}, "password": {password}}
}

// TestNext has a link lead through the sign-in to other places.
func TestNext(t *testing.T) {
	s := start(t)
	for next, want := range map[string]string{
		"":                                  "/admin/",
		"/admin/queues/plain?status=read":   "/admin/queues/plain?status=read",
		"/admin/errors?before=2#x":          "/admin/errors?before=2",
		"https://evil.example/admin/":       "/admin/",
		"//evil.example/admin/":             "/admin/",
		"/\\evil.example/admin/":            "/admin/",
		"/admin/\\..\\..\\evil":             "/admin/",
		"/admin/../../evil":                 "/admin/",
		"/admin/%2e%2e/evil":                "/admin/",
		"/admin/%2e%2e//evil.example":       "/admin/",
		"/admin/\t//evil.example":           "/admin/",
		"/admin/\r\nSet-Cookie: a=b":        "/admin/",
		"/admin/%zz":                        "/admin/",
		"/other":                            "/admin/",
		"javascript:alert(1)":               "/admin/",
		"/ADMIN/":                           "/admin/",
		"https:/admin/":                     "/admin/",
		"/admin/queues/plain%2Fx?a=b%0d%0a": "/admin/queues/plain%2Fx?a=b%0d%0a",
	} {
		v := s.visit(t, "")
		form := signInForm("viewer", password)
		form.Set("next", next)
		if a := v.post("/admin/sign-in", form); a.status != http.StatusSeeOther || a.location() != want || a.header.Get("Set-Cookie") == "" {
			t.Errorf("next %q leads to %d %q, want %q", next, a.status, a.location(), want)
		}
		if a := v.get("/admin/sign-in?next=" + url.QueryEscape(next)); a.location() != want {
			t.Errorf("next %q of who is signed in leads to %d %q, want %q", next, a.status, a.location(), want)
		}
	}
	if a := s.visit(t, "").get("/admin/errors?before=2"); a.location() != "/admin/sign-in?next=%2Fadmin%2Ferrors%3Fbefore%3D2" {
		t.Errorf("a page leads to %q", a.location())
	}
}

// TestHeaders looks at what goes with every answer.
func TestHeaders(t *testing.T) {
	for name, outside := range map[string]string{"http": "", "https": "https://restante.example"} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			secure, session := outside != "", "restante-session"
			if secure {
				s.outside.Store(&outside)
				session = "__Host-restante-session"
			}
			v := s.visit(t, "")
			a := v.post("/admin/sign-in", signInForm("admin", password))
			cookies := v.last.Cookies()
			if len(cookies) != 1 || cookies[0].Name != session {
				t.Fatalf("signing in sets %v", cookies)
			}
			c := cookies[0]
			if c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" || c.MaxAge != int(host.SessionLife/time.Second) || c.Path != map[bool]string{true: "/", false: "/admin/"}[secure] {
				t.Errorf("signing in sets %v", c)
			}
			for _, path := range []string{"/admin/", "/admin/nothing", "/admin/static/app.js", "/admin/sign-in", "/admin/audit/export"} {
				a = v.get(path)
				for header, want := range map[string]string{
					"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
					"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
					"Strict-Transport-Security": map[bool]string{true: "max-age=31536000"}[secure],
				} {
					if strings.Contains(path, "static") && header == "Cache-Control" {
						want = "public, max-age=300"
					}
					if got := a.header.Get(header); got != want {
						t.Errorf("%s: %s is %q, want %q", path, header, got, want)
					}
				}
				if policy := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; ") || strings.Contains(policy, "unsafe") {
					t.Errorf("%s: the policy is %q", path, policy)
				}
			}
			for _, bad := range []string{"", "x", strings.ToUpper(v.cookies[session]), v.cookies[session][1:], v.cookies[session] + "x", strings.Repeat("x", 8000)} {
				other := s.visit(t, "")
				if other.cookies[session] = bad; other.signedIn() {
					t.Errorf("the session %.50q is a good one", bad)
				}
			}
			if secure {
				other := s.visit(t, "")
				if other.cookies["restante-session"] = v.cookies[session]; other.signedIn() {
					t.Error("a cookie that anybody on the network could have set is taken")
				}
			}
		})
	}
}

// TestSessions looks at where sessions begin and end.
func TestSessions(t *testing.T) {
	s := start(t)
	// A session that somebody else has put into the browser is not gone on with.
	v := s.visit(t, "")
	v.cookies["restante-session"] = "chosen-by-somebody-else"
	v.post("/admin/sign-in", signInForm("viewer", password))
	first := v.cookies["restante-session"]
	if first == "chosen-by-somebody-else" || !v.signedIn() {
		t.Fatalf("the session is %q", first)
	}
	v.post("/admin/sign-in", signInForm("operator", password))
	old := s.visit(t, "")
	if old.cookies["restante-session"] = first; old.signedIn() {
		t.Error("the session before the other sign-in goes on")
	}
	if a := v.post("/admin/sign-out", nil); a.location() != "/admin/sign-in" || v.cookies["restante-session"] != "" {
		t.Errorf("signing out leads to %q with %v", a.location(), v.cookies)
	}

	// Without the store the browser forgets the session at least.
	v = s.visit(t, "viewer")
	full := host.ErrStoreFull
	s.store.writes.Store(&full)
	check(t, "sign-out on a full disk", v.post("/admin/sign-out", nil), http.StatusServiceUnavailable, "The disk is full")
	if v.cookies["restante-session"] != "" {
		t.Error("the browser keeps the session")
	}
	check(t, "sign-in on a full disk", s.visit(t, "").post("/admin/sign-in", signInForm("viewer", password)), http.StatusServiceUnavailable, "The disk is full")
	s.store.writes.Store(nil)

	everywhere := s.visit(t, "viewer")
	other := s.visit(t, "viewer")
	everywhere.post("/admin/account/sign-out-everywhere", nil)
	if other.signedIn() {
		t.Error("the other browser is signed in")
	}
	other = s.visit(t, "viewer")
	s.visit(t, "admin").post("/admin/users/role", url.Values{"name": {"viewer"}, "role": {"operator"}})
	if other.signedIn() {
		t.Error("a session outlives another role")
	}
	idle := s.visit(t, "operator")
	if s.clock.Store(int64(host.SessionIdle)); idle.signedIn() {
		t.Error("a session outlives half a day")
	}
}

// TestPasswords changes a password and holds to the rules for it.
func TestPasswords(t *testing.T) {
	s := start(t)
	v, other := s.visit(t, "viewer"), s.visit(t, "viewer")
	form := func(current, password, again string) url.Values {
		return url.Values{"current": {current}, "password": {password}, "again": {again}}
	}
	const better = "another horse battery"
	check(t, "a wrong one", v.post("/admin/account/password", form("x", better, better)), 422, "current password is wrong")
	check(t, "two", v.post("/admin/account/password", form(password, better, better+"x")), 422, "not the same")
	check(t, "a short one", v.post("/admin/account/password", form(password, "short", "short")), 422)
	check(t, "a good one", v.post("/admin/account/password", form(password, better, better)), http.StatusSeeOther)
	if !v.signedIn() || other.signedIn() {
		t.Error("not the other browsers alone are signed out")
	}
	for i := range 20 {
		if a := v.post("/admin/account/password", form("x", better+"x", better+"x")); a.status == http.StatusTooManyRequests {
			check(t, "guessing", a, 429, "Too many attempts")
			break
		} else if i == 19 {
			t.Error("guessing the current password is not limited")
		}
	}
}

// TestInvitation opens good and bad links.
func TestInvitation(t *testing.T) {
	s := start(t)
	invite := func(name string) (path string) {
		t.Helper()
		a := s.visit(t, "admin").post("/admin/users", url.Values{"name": {name}, "role": {"viewer"}})
		check(t, "invite", a, http.StatusOK, "Link for "+name)
		_, link, _ := strings.Cut(a.body, s.url)
		path, _, _ = strings.Cut(link, "<")
		return path
	}
	accept := func(v *visitor, path string) answer {
		_, token, _ := strings.Cut(path, "token=")
		return v.post("/admin/invitation", url.Values{"token": {token}, "password": {password}, "again": {password}})
	}
	const over = "Not valid any more"

	path := invite("grace")
	a := s.visit(t, "").get(path)
	check(t, "the link", a, http.StatusOK, "For the user <b>grace</b>")
	if policy := a.header.Get("Referrer-Policy"); policy != "no-referrer" {
		t.Errorf("Referrer-Policy of the link is %q", policy)
	}
	v := s.visit(t, "operator")
	before := v.cookies["restante-session"]
	check(t, "accept", accept(v, path), http.StatusSeeOther)
	check(t, "the new user", v.get("/admin/account"), http.StatusOK, "grace · viewer")
	old := s.visit(t, "")
	if old.cookies["restante-session"] = before; old.signedIn() {
		t.Error("the session before goes on")
	}
	check(t, "a used link", s.visit(t, "").get(path), http.StatusNotFound, over)
	check(t, "a used link, accepted", accept(s.visit(t, ""), path), http.StatusNotFound, over)

	first, second := invite("alan"), invite("alan")
	check(t, "a replaced link", accept(s.visit(t, ""), first), http.StatusNotFound, over)
	check(t, "half a link", s.visit(t, "").get(second[:len(second)-3]), http.StatusNotFound, over)
	check(t, "no token", s.visit(t, "").get("/admin/invitation"), http.StatusNotFound, over)
	s.visit(t, "admin").post("/admin/users/uninvite", url.Values{"name": {"alan"}})
	check(t, "a withdrawn link", accept(s.visit(t, ""), second), http.StatusNotFound, over)

	third := invite("alan")
	a = s.visit(t, "").post("/admin/invitation", url.Values{"token": {strings.Split(third, "=")[1]}, "password": {password}, "again": {"x"}})
	check(t, "two passwords", a, http.StatusUnprocessableEntity, "not the same")
	s.clock.Store(int64(host.InvitationLife))
	check(t, "an old link", accept(s.visit(t, ""), third), http.StatusNotFound, over)
}

// TestUsers does to users what can't be done.
func TestUsers(t *testing.T) {
	s := start(t)
	v := s.visit(t, "admin")
	for _, test := range []struct {
		name, action string
		form         url.Values
		status       int
		says         string
	}{
		{"no role", "", url.Values{"name": {"x"}}, 400, "unknown role"},
		{"a made-up role", "", url.Values{"name": {"x"}, "role": {"root"}}, 400, "unknown role"},
		{"another role", "", url.Values{"name": {"viewer"}, "role": {"admin"}}, 400, "viewer is a user already"},
		{"no name", "", url.Values{"role": {"viewer"}}, 400, "It is empty"},
		{"a line", "", url.Values{"name": {"a\nb"}, "role": {"viewer"}}, 400, "has the character"},
		{"turned text", "", url.Values{"name": {"a\u202eb"}, "role": {"viewer"}}, 400, "has the character"},
		{"a long name", "/uninvite", url.Values{"name": {strings.Repeat("x", 100_000)}}, 400, "more than 128"},
		{"nobody", "/role", url.Values{"name": {"x"}, "role": {"viewer"}}, 400, "No such user"},
		{"role root", "/role", url.Values{"name": {"viewer"}, "role": {"root"}}, 400, "unknown role"},
		{"the last admin's role", "/role", url.Values{"name": {"admin"}, "role": {"viewer"}}, 400, "last admin"},
		{"the last admin", "/delete", url.Values{"name": {"ADMIN"}}, 400, "last admin"},
		{"the last admin, disabled", "/disable", url.Values{"name": {"admin"}}, 400, "last admin"},
	} {
		a := v.post("/admin/users"+test.action, test.form)
		if a.status != test.status || !strings.Contains(strings.ToLower(a.body), strings.ToLower(test.says)) {
			t.Errorf("%s = %d, want %d and %q: %.1500s", test.name, a.status, test.status, test.says, a.body)
		}
	}
}

// TestAttempts guesses passwords.
func TestAttempts(t *testing.T) {
	s := start(t)
	guess := func(n int, name, forwarded string) (status int) {
		v := s.visit(t, "")
		if forwarded != "" {
			v.header["X-Forwarded-For"] = strings.Split(forwarded, "|")
		}
		for i := range n {
			a := v.post("/admin/sign-in", signInForm(strings.ReplaceAll(name, "#", fmt.Sprint(i)), "guess"))
			if status = a.status; status == http.StatusTooManyRequests {
				check(t, "a guess too many", a, status, "Too many attempts. Try again in")
				return status
			}
		}
		return status
	}
	if got := guess(20, "viewer", ""); got != 429 {
		t.Errorf("20 guesses for one name = %d", got)
	}
	if got := guess(20, "VIEWER", "203.0.113.9"); got != 429 {
		t.Errorf("a guess from elsewhere, in capitals = %d", got)
	}
	// The proxy's own element is the last one of the last header.
	if got := guess(60, "a#", "203.0.113.1"); got != 429 {
		t.Errorf("60 guesses from one address = %d", got)
	}
	for name, forwarded := range map[string]string{
		"as is": "203.0.113.1", "behind others": "192.0.2.77, 203.0.113.1", "a header of its own": "192.0.2.78|203.0.113.1",
	} {
		if got := guess(1, "b", forwarded); got != 429 {
			t.Errorf("%s: another guess = %d", name, got)
		}
	}
	if got := guess(1, "c", "203.0.113.1, 192.0.2.79"); got != 401 {
		t.Errorf("a guess from another address = %d", got)
	}
	if log := s.log.String(); strings.Contains(log, "guess") || strings.Contains(log, password) {
		t.Error("a password is in the log")
	}

	// What the proxy says is written down, as an address and nothing else.
	for said, want := range map[string]string{
		"203.0.113.5": "203.0.113.5", "::ffff:203.0.113.6": "::ffff:203.0.113.6", "fe80::1%<script>": "fe80::1",
		"unknown": "127.0.0.1", "203.0.113.7:80": "127.0.0.1", "": "127.0.0.1",
	} {
		v := s.visit(t, "operator")
		v.header.Set("X-Forwarded-For", said)
		v.post("/admin/sign-out", nil)
		entries, err := s.audit.List(t.Context(), "", 0, 1)
		if err != nil || !strings.HasPrefix(entries[0].From, want) || strings.Contains(entries[0].From, "<") {
			t.Errorf("X-Forwarded-For %q: the audit log has %q, %v, want %q", said, entries[0].From, err, want)
		}
	}
}

// TestForms sends forms that are too large, cut or of another kind.
func TestForms(t *testing.T) {
	s := start(t)
	big := strings.Repeat("x", admin.MaxForm)
	check(t, "a large sign-in", s.visit(t, "").post("/admin/sign-in", signInForm(big, "x")), http.StatusBadRequest, "The form is too large")
	v := s.visit(t, "operator")
	check(t, "a large search", v.post("/admin/queues/plain/search", url.Values{"text": {big}}), http.StatusBadRequest, "The form is too large")
	text := `"` + strings.Repeat("%", host.MaxMessageBytes-2) + `"` // three bytes each, escaped
	check(t, "the largest message", v.post("/admin/queues/plain/add", url.Values{"data": {text}, "nonce": {"a"}}), http.StatusSeeOther)
	check(t, "a larger message", v.post("/admin/queues/plain/add", url.Values{"data": {text[:1] + "x" + text[1:]}, "nonce": {"b"}}), http.StatusUnprocessableEntity, "too large")
	check(t, "a huge message", v.send("POST", "/admin/queues/plain/add", "data="+strings.Repeat("x", admin.MaxAddForm)), http.StatusBadRequest, "The form is too large")
	check(t, "a malformed form", v.send("POST", "/admin/queues/plain/add", "data=%zz"), http.StatusBadRequest, "could not be read")
	check(t, "many fields", v.send("POST", "/admin/queues/plain/search", strings.Repeat("a&", 60_000)), http.StatusBadRequest)
	check(t, "the same form again", v.post("/admin/queues/plain/add", url.Values{"data": {text}, "nonce": {"a"}}), http.StatusSeeOther)
	check(t, "with other data", v.post("/admin/queues/plain/add", url.Values{"data": {"2"}, "nonce": {"a"}}), http.StatusUnprocessableEntity, "sent before with other data")
	check(t, "a bad nonce", v.post("/admin/queues/plain/add", url.Values{"data": {"2"}, "nonce": {"é\n"}}), http.StatusUnprocessableEntity)
	v.header.Set("Content-Type", "application/json")
	check(t, "JSON", v.send("POST", "/admin/queues/plain/add", `{"data":"1"}`), http.StatusUnprocessableEntity)
	if counts, err := s.store.Counts(t.Context(), "plain"); err != nil || counts.Last != 1 {
		t.Errorf("there are %d messages, %v", counts.Last, err)
	}
}

// TestElsewhere signs in by a provider.
func TestElsewhere(t *testing.T) {
	s := start(t)
	s.provider.identity = host.Identity{Issuer: "https://id.example.edu", Subject: "1", Name: "grace", Role: host.Operator}
	begin := func() *visitor {
		v := s.visit(t, "")
		if a := v.get("/admin/sign-in/other"); a.location() != "https://id.example.edu/authorize" || v.cookies["restante-sign-in"] == "" {
			t.Fatalf("it begins with %d %s, %v", a.status, a.location(), v.cookies)
		}
		return v
	}
	check(t, "the button", s.visit(t, "").get("/admin/sign-in"), http.StatusOK, "Campus &lt;b&gt;ID")
	v := begin()
	sealed := v.cookies["restante-sign-in"]
	if a := v.get("/admin/sign-in/callback?state=known"); a.location() != "/admin/" || v.cookies["restante-sign-in"] != "" {
		t.Errorf("it ends at %d %s, %v", a.status, a.location(), v.cookies)
	}
	check(t, "the user", v.get("/admin/account"), http.StatusOK, "grace · operator · signs in by OpenID Connect")

	for name, cookie := range map[string]string{
		"no cookie": "", "half of it": sealed[:len(sealed)/2], "another": "begun", "changed": sealed[:len(sealed)-2] + "AA", "not of us": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	} {
		v := s.visit(t, "")
		v.cookies["restante-sign-in"] = cookie
		check(t, name, v.get("/admin/sign-in/callback?state=known"), http.StatusBadRequest, "in another browser")
	}
	a := begin().get("/admin/sign-in/callback?state=other")
	check(t, "another state", a, http.StatusUnauthorized, "did not confirm who you are")
	if strings.Contains(a.body, "secret") {
		t.Error("the page says what is for the log")
	}
	s.provider.identity = host.Identity{Issuer: "https://id.example.edu", Subject: "2", Name: "admin", Role: host.Admin}
	check(t, "the name of another", begin().get("/admin/sign-in/callback?state=known"), http.StatusUnauthorized, "is a user with a password")
	s.provider.identity.Name = "a\u202eb"
	check(t, "a name that can't be", begin().get("/admin/sign-in/callback?state=known"), http.StatusUnauthorized, "has the character")
	s.provider.err = errors.New("secret: refused")
	check(t, "not there", s.visit(t, "").get("/admin/sign-in/other"), http.StatusBadGateway, "does not answer")
}
