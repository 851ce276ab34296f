package admin_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/restante/restante/host"
)

// furnished is a site with one of everything, and the path of each pattern.
func furnished(t *testing.T) (*site, func(pattern string) (method, path string)) {
	s := start(t, withCluster(&together{status: threeNodes()}))
	s.fill(t, "plain", `{"n":1}`, `{"n":2}`)
	delivery := s.deliver(t, "plain")
	report := s.report(t, host.ErrorReport{Kind: host.ErrorHeld, Group: "plain", Title: "Held."})
	_, key, err := s.keys.Create(t.Context(), host.Grant{Groups: []host.GroupName{"plain"}, Allow: []host.Permission{host.MayPoll}})
	if err != nil {
		t.Fatal(err)
	}
	s.sender.put(host.SendStatus{URL: "https://receiver.example", Outstanding: 1})
	s.plugins.put(host.PluginStatus{File: "records", Name: "records", State: host.PluginActive})
	at := s.visit(t, "viewer").post("/admin/queues/plain/search", url.Values{"text": {"ada"}}).location()
	return s, func(pattern string) (method, path string) {
		method, path, _ = strings.Cut(pattern, " ")
		if path == "" { // the rest
			method, path = "GET", "/admin/nothing"
		}
		id := map[bool]string{strings.Contains(path, "/messages/"): "1", strings.Contains(path, "/deliveries/"): delivery,
			strings.Contains(path, "/keys/"): key.ID, strings.Contains(path, "/errors/"): report,
			strings.Contains(path, "/jobs/"): strings.TrimPrefix(at, "/admin/jobs/")}[true]
		action := map[bool]string{strings.Contains(path, "/plugins/"): "restart", strings.Contains(path, "/users/"): "enable"}[true]
		group := "plain"
		if strings.Contains(path, "/sending") {
			group, action = "push", "send"
		}
		file := map[bool]string{strings.Contains(path, "/plugins/"): "records", strings.Contains(path, "/static/"): "app.js"}[true]
		return method, strings.NewReplacer("{$}", "", "{group}", group, "{node}", "c", "{id}", id, "{action}", action, "{file}", file).Replace(path)
	}
}

// TestRoles asks for everything as everybody.
func TestRoles(t *testing.T) {
	s, fill := furnished(t)
	for _, who := range []string{"", "viewer", "operator", "admin"} {
		for _, route := range s.admin.Routes() {
			method, path := fill(route.Pattern)
			v := s.visit(t, who)
			before := len(s.audited(t))
			a := v.send(method, path, "name=viewer&ids=1&action=unread")
			refused := ""
			switch {
			case route.Role == "":
			case who == "":
				refused = "sign in"
				if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), "/admin/sign-in") {
					t.Errorf("anonymous %s %s = %d to %q, want a way to the sign-in", method, path, a.status, a.location())
				}
			case !host.Role(who).Allows(route.Role):
				refused = "role"
				check(t, who+" "+method+" "+path, a, http.StatusForbidden, "Your role does not allow this")
			}
			if refused != "" {
				if after := s.audited(t); len(after) != before {
					t.Errorf("%s %s %s is refused and leaves %q in the audit log", who, method, path, after[0])
				}
				continue
			}
			// The job is the viewer's.
			if a.status == http.StatusForbidden || a.status >= 500 || a.status == http.StatusNotFound &&
				route.Pattern != "/" && !strings.Contains(path, "/jobs/") && !strings.Contains(path, "/invitation") {
				t.Errorf("%q %s %s = %d: %.300s", who, method, path, a.status, a.body)
			}
			if route.Role != "" && strings.HasPrefix(a.location(), "/admin/sign-in") && !strings.Contains(path, "sign-out") {
				t.Errorf("%q %s %s is sent to %s", who, method, path, a.location())
			}
		}
	}
}

// TestWhoMayChange holds the list of routes to the rules of the roles.
func TestWhoMayChange(t *testing.T) {
	open := []string{
		"GET /admin/sign-in", "POST /admin/sign-in", "GET /admin/sign-in/other", "GET /admin/sign-in/callback",
		"GET /admin/invitation", "POST /admin/invitation", "GET /admin/static/{file}", "/",
	}
	// What a viewer posts changes nothing, or only what is the viewer's own.
	own := []string{
		"POST /admin/queues/{group}/search", "POST /admin/jobs/{id}/stop", "POST /admin/account/password",
		"POST /admin/account/sign-out-everywhere", "POST /admin/sign-out",
	}
	for _, r := range start(t).admin.Routes() {
		switch {
		case (r.Role == "") != slices.Contains(open, r.Pattern):
			t.Errorf("%s needs the role %q", r.Pattern, r.Role)
		case strings.HasPrefix(r.Pattern, "POST ") && r.Role == host.Viewer && !slices.Contains(own, r.Pattern):
			t.Errorf("%s is for viewers", r.Pattern)
		case (strings.Contains(r.Pattern, "/nodes/") || strings.Contains(r.Pattern, "/users") || strings.Contains(r.Pattern, "/keys") || strings.Contains(r.Pattern, "/audit")) && r.Role != host.Admin:
			t.Errorf("%s needs the role %q", r.Pattern, r.Role)
		}
	}
}

// TestOtherSites has another site post everything with an admin's cookies.
func TestOtherSites(t *testing.T) {
	s, fill := furnished(t)
	for name, header := range map[string]map[string]string{
		"cross-site":     {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"a sibling":      {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example"},
		"an old browser": {"Origin": "https://evil.example"},
		"no origin":      {"Origin": "null"},
		"another port":   {"Origin": "http://127.0.0.1:1"},
	} {
		for _, route := range s.admin.Routes() {
			method, path := fill(route.Pattern)
			if method != "POST" {
				continue
			}
			v := s.visit(t, "admin")
			for key, value := range header {
				v.header.Set(key, value)
			}
			before := len(s.audited(t))
			check(t, name+": POST "+path, v.send(method, path, "name=viewer&ids=1&action=hold&password="+password), http.StatusForbidden, "from another site")
			if len(s.audited(t)) != before {
				t.Errorf("%s: POST %s did something", name, path)
			}
		}
	}
	v := s.visit(t, "admin")
	v.header.Set("Sec-Fetch-Site", "cross-site")
	check(t, "a link from elsewhere", v.get("/admin/queues/plain"), http.StatusOK)
	v.header.Set("Sec-Fetch-Site", "same-origin")
	check(t, "our own form", v.post("/admin/queues/plain/move", url.Values{"ids": {"1"}, "action": {"hold"}}), http.StatusSeeOther)
}

// TestOddRequests sends what no page of ours links to. None of it is our fault.
func TestOddRequests(t *testing.T) {
	s, _ := furnished(t)
	const q = "/admin/queues/plain"
	long := strings.Repeat("x", 30_000)
	odd := strings.TrimSuffix(strings.Repeat("1,", 10_000), ",")
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/admin/queues/nobody", 404},
		{"GET", "/admin/queues/no%20body", 404},
		{"GET", "/admin/queues/..%2f..%2fetc", 404},
		{"GET", "/admin/queues/plain%2Fadd", 404},
		{"POST", "/admin/queues/plain%2Fadd", 404},
		{"GET", "/admin/queues/plain%00", 404},
		{"GET", "/admin/queues/*", 404},
		{"GET", "/admin/queues/" + long, 404},
		{"GET", "/admin/queues/plain/", 404},
		{"GET", "/admin%2Fqueues%2Fplain", 404},
		{"GET", "/admin/users%2Frole", 404},
		{"POST", "/admin/users/nothing", 400},
		{"GET", q + "/messages/0", 404},
		{"GET", q + "/messages/99", 404},
		{"GET", q + "/messages/-1", 404},
		{"GET", q + "/messages/+1", 404},
		{"GET", q + "/messages/9223372036854775807", 404},
		{"GET", q + "/messages/18446744073709551616", 404},
		{"GET", q + "/messages/1%00", 404},
		{"GET", q + "/deliveries/x", 404},
		{"GET", q + "/deliveries/-", 404},
		{"GET", q + "/deliveries/%00-x", 404},
		{"GET", q + "/deliveries/" + long, 404},
		{"GET", q + "/deliveries/x/body", 404},
		{"GET", q + "/deliveries?before=x", 400},
		{"GET", q + "/deliveries?before=-1", 400},
		{"GET", q + "/deliveries?before=9223372036854775807", 200},
		{"GET", q + "?before=18446744073709551615", 400},
		{"GET", q + "?before=9223372036854775807", 200},
		{"GET", q + "?status=other", 400},
		{"GET", q + "?id=x", 400},
		{"GET", q + "?id=2-1", 400},
		{"GET", q + "?id=0", 400},
		{"GET", q + "?id=1-9223372036854775807", 200},
		{"GET", q + "?id=" + odd, 200},
		{"GET", q + "?id=2&before=1", 200},
		{"GET", q + "?key=" + long, 200},
		{"GET", q + "?key=%00%ff", 200},
		{"GET", q + "?since=yesterday", 400},
		{"GET", q + "?since=0001-01-01", 200},
		{"GET", q + "?since=9999-12-31", 200},
		{"GET", q + "?a=%zz&status=;", 200},
		{"GET", q + "/move", 400},
		{"GET", q + "/move?ids=1&action=delete", 400},
		{"GET", q + "/move?ids=1,x&action=hold", 400},
		{"GET", q + "/move?ids=1-9223372036854775807&action=hold", 200},
		{"GET", q + "/sending", 404},
		{"GET", q + "/sending/send", 404},
		{"GET", q + "/sending/test", 404},
		{"POST", q + "/sending/pause", 404},
		{"POST", q + "/sending/test", 404},
		{"GET", "/admin/queues/push/sending/delete", 404},
		{"POST", "/admin/queues/push/sending/delete", 404},
		{"GET", "/admin/queues/nobody/sending", 404},
		{"GET", "/admin/jobs/x", 404},
		{"GET", "/admin/plugins/..%2Fx", 404},
		{"GET", "/admin/plugins/records/delete", 404},
		{"POST", "/admin/plugins/records/delete", 404},
		{"GET", "/admin/errors/x", 404},
		{"GET", "/admin/errors/%00", 404},
		{"GET", "/admin/errors/" + long, 404},
		{"POST", "/admin/errors/x/acknowledge", 404},
		{"POST", "/admin/errors/x/reopen", 404},
		{"GET", "/admin/audit?before=x", 400},
		{"GET", "/admin/static/..%2Ftemplates%2Fbase.html", 404},
		{"GET", "/admin/static/..", 404},
		{"GET", "/admin/static/.", 404},
		{"GET", "/admin/static/x", 404},
		{"GET", "/admin/cluster?from=x", 400},
		{"GET", "/admin/cluster?from=9223372036854775807", 200},
		{"GET", "/admin/cluster/nodes/c", 404},
		{"POST", "/admin/cluster", 404},
		{"GET", "/admin/cluster/nodes/nobody/remove", 404},
		{"POST", "/admin/cluster/nodes/%00/remove", 404},
		{"POST", "/admin/cluster/nodes/" + long + "/remove", 404},
		{"POST", "/admin/cluster/nodes/a/remove", 400},
		{"PUT", q, 404},
		{"DELETE", "/admin/users", 404},
		{"TRACE", "/admin/", 404},
		{"POST", "/admin/", 404},
		{"HEAD", q, 200},
	} {
		a := s.visit(t, "admin").send(test.method, test.path, "")
		if a.status == http.StatusMovedPermanently || a.status == http.StatusTemporaryRedirect { // the path was cleaned
			if !strings.HasPrefix(a.location(), "/admin/") || test.status != 404 {
				t.Errorf("%s %.100s leads to %s", test.method, test.path, a.location())
			}
			continue
		}
		if a.status != test.status {
			t.Errorf("%s %.100s = %d, want %d: %.500s", test.method, test.path, a.status, test.status, a.body)
		}
	}
	if log := s.log.String(); strings.Contains(log, "[ERROR]") {
		t.Errorf("the log has errors:\n%.2000s", log)
	}
}
