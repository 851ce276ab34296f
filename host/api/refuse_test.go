package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func TestAuthorization(t *testing.T) {
	s := start(t)
	grant := func(p ...host.Permission) host.Grant {
		return host.Grant{Groups: []host.GroupName{"student"}, Allow: p}
	}
	polls, adds := s.key(t, grant(host.MayPoll)), s.key(t, grant(host.MayAdd))
	revoked, key, err := s.keys.Create(t.Context(), grant(host.MayPoll))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.keys.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	brief := grant(host.MayPoll)
	brief.Expires = time.Now().Add(time.Hour)
	expired := s.key(t, brief)
	s.clock.Store(int64(2 * time.Hour))

	fetch := func(group, key string) call {
		return call{method: "GET", path: "/poll/" + group + "/fetch", key: key}
	}
	add := func(group, key string) call {
		return call{method: "POST", path: "/add/" + group, key: key, body: "1", header: map[string]string{"Content-Type": "application/json"}}
	}
	bearer := fetch("student", "")
	bearer.header = map[string]string{"Authorization": "Bearer " + s.student}
	wrongUser := fetch("student", s.student)
	wrongUser.user = "admin"
	for _, test := range []struct {
		name    string
		call    call
		status  int
		problem string
		says    string
	}{
		{"no key", fetch("student", ""), 401, "unauthorized", `"haplo"`},
		{"no key, unknown group", fetch("nobody", ""), 401, "unauthorized", ""},
		{"no key, bad group", fetch("no%20body", ""), 401, "unauthorized", ""},
		{"bearer", bearer, 401, "unauthorized", ""},
		{"wrong user", wrongUser, 401, "unauthorized", `the user name is not "haplo"`},
		{"wrong key", fetch("student", s.student+"x"), 401, "unauthorized", ""},
		{"half a key", fetch("student", s.student[:11]), 401, "unauthorized", ""},
		{"no key at all", fetch("student", "x"), 401, "unauthorized", ""},
		{"revoked", fetch("student", revoked), 401, "unauthorized", "revoked"},
		{"expired", fetch("student", expired), 401, "unauthorized", "expired"},
		{"another queue's", fetch("student", s.other), 403, "forbidden", `"student"`},
		{"another queue's, unknown group", fetch("nobody", s.other), 403, "forbidden", ""},
		{"another queue's, bad group", fetch("no%20body", s.other), 403, "forbidden", ""},
		{"another queue's, send queue", fetch("push", s.other), 403, "forbidden", ""},
		{"key for adding", fetch("student", adds), 403, "forbidden", ""},
		{"key for polling", add("student", polls), 403, "forbidden", ""},
		{"unknown group", fetch("nobody", s.all), 404, "unknown-group", `"nobody"`},
		{"unknown group, add", add("nobody", s.all), 404, "unknown-group", `"nobody"`},
		{"bad group", fetch("no%20body", s.all), 400, "bad-group-name", `"no body"`},
		{"bad group, add", add("_x", s.all), 400, "bad-group-name", ""},
		{"dots", fetch("..", s.all), 400, "bad-group-name", ""},
		{"every group", fetch("*", s.all), 400, "bad-group-name", ""},
		{"send queue", fetch("push", s.all), 409, "not-a-poll-queue", `"push"`},
		{"send queue, wait", fetch("push", s.all).wait(), 409, "not-a-poll-queue", `"push"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			check(t, s.do(t, test.call), test.status, test.problem, test.says)
		})
	}
	mark := markCall(s.all, "x")
	mark.path = "/poll/push/mark"
	check(t, s.do(t, mark), 409, "not-a-poll-queue")
	mark.path = "/poll/nobody/mark"
	check(t, s.do(t, mark), 404, "unknown-group")
	mark.key = ""
	check(t, s.do(t, mark), 401, "unauthorized")
	mark.key = s.other
	check(t, s.do(t, mark), 403, "forbidden")

	log := s.log.String()
	for _, secret := range []string{s.student, s.other, s.all, revoked, expired} {
		if strings.Contains(log, secret) {
			t.Errorf("a key is in the log:\n%s", log)
		}
	}
	if n := strings.Count(log, "[WARN]"); n == 0 || n > 5 {
		t.Errorf("%d warnings about refused keys in the log, want about one a second:\n%s", n, log)
	}
}

func TestFetchQuery(t *testing.T) {
	s := start(t)
	s.fill(t, "student", "1", "2", "3")
	for _, test := range []struct {
		query string
		says  string // empty if it is accepted
		loose bool
	}{
		{query: "limit=1"},
		{query: "limit=1000"},
		{query: "limit=007"},
		{query: "wait=0"},
		{query: "wait=60"},
		{query: ""},
		{query: "_=1&limit=2&x=y"},
		{query: "limit=0", says: `"limit"`},
		{query: "limit=1001", says: "from 1 to 1000"},
		{query: "limit=-1", says: `"limit"`},
		{query: "limit=%2B1", says: `"limit"`},
		{query: "limit=x", says: `"limit" is "x"`},
		{query: "limit=1.5", says: `"limit"`},
		{query: "limit=", says: `"limit"`},
		{query: "limit=99999999999999999999", says: `"limit"`},
		{query: "limit=1&limit=2", says: "2 times"},
		{query: "wait=61", says: "from 0 to 60"},
		{query: "wait=-1", says: `"wait"`},
		{query: "wait=soon", says: `"wait"`},
		{query: "limit=1;wait=2", says: "malformed"},
		{query: "limit=%zz", says: "malformed"},
	} {
		a := s.do(t, call{method: "GET", path: "/poll/student/fetch?" + test.query, key: s.student, loose: test.loose})
		if test.says != "" {
			check(t, a, 400, "bad-request", test.says)
		} else if a.status != 200 {
			t.Errorf("?%s = %d %s", test.query, a.status, a.body)
		}
	}
}

func TestWrongMethodsAndPaths(t *testing.T) {
	s := start(t)
	for path, allow := range map[string]string{
		"/poll/student/fetch": "GET", "/poll/student/mark": "POST", "/add/student": "POST",
		"/healthz": "GET", "/readyz": "GET", "/api/openapi.yaml": "GET",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
			if method == allow {
				continue
			}
			a := s.do(t, call{method: method, path: path, key: s.student})
			if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != allow {
				t.Errorf("%s %s = %d, Allow: %s, want 405, Allow: %s", method, path, a.status, a.header.Get("Allow"), allow)
			}
			if method != "HEAD" {
				check(t, a, 405, "method-not-allowed", "Use "+allow)
			}
		}
	}
	for _, path := range []string{
		"/", "/api", "/add", "/add/", "/add//", "/add/student/", "/poll/student", "/poll/student/fetch/", "/poll/student//fetch",
		"//add/student", "/add/../add/student", "/poll/a%2Fb/fetch", "/healthz/", "/.git/config", "/%00",
	} {
		for _, method := range []string{"GET", "POST"} {
			a := s.do(t, call{method: method, path: path, key: s.all})
			check(t, a, 404, "not-found", "/api/openapi.yaml")
		}
	}
}
