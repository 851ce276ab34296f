package admin_test

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// attack is what others would say to get out of an attribute, a text or a script.
const attack = "\"'`><xss onload=alert(1)></title></textarea></pre></script><!--{{.}}-->&lt;\u202e"

// What markup is made of.
var (
	tags     = regexp.MustCompile(`<[a-z!/][^>]*>`)
	values   = regexp.MustCompile(`"[^"]*"`)
	handlers = regexp.MustCompile(`\s(on[a-z]+|style|srcdoc)\s*=`)
)

// TestAttacks shows what messages, plugins, pollers and people have said, on every
// page.
func TestAttacks(t *testing.T) {
	s := start(t)
	ctx := t.Context()
	quoted := fmt.Sprintf("%q", attack)
	if _, err := s.exchange.Add(ctx, host.AddRequest{Group: "formatted", Body: []byte(quoted), Key: strings.TrimSuffix(attack, "\u202e")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.exchange.Add(ctx, host.AddRequest{Group: "formatted", Body: []byte(quoted), ByHand: attack}); err != nil {
		t.Fatal(err)
	}
	s.formatters.writes(`text/xml; x="\"><xss>"`, strings.ReplaceAll(attack, "/", ""), []byte("<a b='"+attack+"'>"+attack+"<!--"+attack))
	f, err := s.exchange.Fetch(ctx, "formatted", 16, host.Caller{Key: attack, Address: attack})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.exchange.Mark(ctx, "formatted", f.Token, []host.Rejection{{ID: 1, Reason: attack}}, host.Caller{Key: attack}); err != nil {
		t.Fatal(err)
	}
	s.formatters.set(func(host.Batch) (host.Document, error) {
		return host.Document{}, &host.UnavailableError{Plugin: attack, Reason: attack, Detail: attack}
	})
	report := s.report(t, host.ErrorReport{
		Kind: host.ErrorKind(attack), Group: "formatted", Plugin: attack, Title: attack, Details: attack, Messages: []host.Rejection{{ID: 1, Reason: attack}},
	})
	if _, err := s.inbox.Acknowledge(ctx, report, attack); err != nil {
		t.Fatal(err)
	}
	report = s.report(t, host.ErrorReport{Kind: host.ErrorHeld, Group: "formatted", Title: attack, Details: attack})
	file := strings.ReplaceAll(attack, "/", "")
	now := time.Now()
	s.plugins.put(host.PluginStatus{
		File: file, State: host.PluginState(attack), Reason: attack, Name: attack, Version: attack, Groups: []host.GroupName{attack},
		Refused: map[host.GroupName]string{attack: attack}, Failure: attack, FailedAt: now, Digest: attack, PID: 1, Started: now, Held: attack,
		Comparison: &host.Comparison{From: attack, FromDigest: attack, To: attack, ToDigest: attack, Groups: []host.GroupComparison{
			{Group: attack, Messages: 1, Changed: 1, Broken: attack, Differences: []host.Difference{{ID: 1, Diff: "+++" + attack + "\n-" + attack + "\n+" + attack}}},
		}},
		Impurity: &host.Impurity{Time: now, Group: attack, Reason: attack, Details: []string{attack}},
		Versions: []host.PluginVersion{{Digest: attack, Version: attack, Quarantined: attack, Served: now}},
		Sandbox:  attack, Log: []string{attack}, LastExit: &host.PluginExit{Time: now, Reason: attack, Panic: attack, Stderr: []string{attack}},
		Settings: []host.PluginSetting{{Name: attack, Description: attack, Value: []byte(quoted)}},
		Build:    host.PluginBuild{Language: attack, SDK: attack, GoPlugin: attack},
	})
	if err := s.audit.Record(ctx, host.AuditEntry{Who: attack, From: attack, Action: attack, Group: attack, Subject: attack, Details: attack}); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSuffix(attack, "\u202e")
	s.provider.identity = host.Identity{Issuer: attack, Subject: "1", Name: name, FullName: attack, Role: host.Admin}
	v := s.visit(t, "")
	v.header.Set("User-Agent", strings.TrimSuffix(attack, "\u202e"))
	v.get("/admin/sign-in/other")
	check(t, "sign-in", v.get("/admin/sign-in/callback?state=known"), http.StatusSeeOther)
	check(t, "a key", v.post("/admin/queues/formatted/keys", url.Values{"note": {attack}, "allow": {"poll"}}), http.StatusOK, "shown")
	check(t, "an invitation", v.post("/admin/users", url.Values{"name": {name + "2"}, "role": {"viewer"}}), http.StatusOK)

	const q = "/admin/queues/formatted"
	at := url.QueryEscape(attack)
	for _, page := range []struct{ path, says string }{
		{"/admin/", "xss"}, {"/admin/sign-in?next=" + at, ""}, {"/admin/invitation?token=" + at, ""}, {"/admin/" + url.PathEscape(attack), ""},
		{q, "xss"}, {q + "?key=" + at, "xss"}, {q + "?since=" + at, "xss"}, {q + "?id=" + at, "xss"}, {q + "?status=" + at, "xss"}, {q + "?before=" + at, "xss"},
		{q + "/messages/1", "xss"}, {q + "/messages/2", "by hand, by &#34;"}, {q + "/deliveries", "xss"}, {q + "/deliveries/" + f.Delivery, "message 1: &#34;"},
		{q + "/deliveries/" + f.Delivery + "?again=1", "can&#39;t format"}, {q + "/connect", "xss"}, {q + "/move?ids=" + at + "&action=hold", "xss"},
		{"/admin/plugins", "xss"}, {"/admin/plugins/" + url.PathEscape(file), "The waiting"}, {"/admin/plugins/" + url.PathEscape(file) + "/approve", "xss"},
		{"/admin/errors", "xss"}, {"/admin/errors/" + report, "xss"}, {"/admin/audit", "xss"}, {"/admin/users", "xss"}, {"/admin/account", "xss"},
	} {
		a := v.get(page.path)
		if page.says == "The waiting" {
			page.says = "waiting version"
		}
		if !strings.Contains(a.body, page.says) || a.status >= 500 {
			t.Errorf("%s = %d and does not say %q: %.3000s", page.path, a.status, page.says, a.body)
		}
		harmless(t, page.path, a)
	}
	attackSending(t, s, v)
	for path, form := range map[string]url.Values{
		q + "/add":                {"data": {attack}, "nonce": {attack}},
		q + "/search":             {"text": {attack}},
		"/admin/sign-in":          signInForm(attack, "x"),
		"/admin/users/role":       {"name": {attack}, "role": {attack}},
		"/admin/account/password": {"current": {attack}, "password": {attack}, "again": {attack}},
	} {
		a := v.post(path, form)
		harmless(t, path, a)
		if to := a.location(); to != "" {
			harmless(t, to, v.get(to))
		}
	}
	v.cookies["restante-notice"] = "PHhzcz4" // <xss>
	a := v.get("/admin/")
	check(t, "a notice", a, http.StatusOK, "&lt;xss&gt;")
	harmless(t, "a notice", a)
	v.cookies["restante-notice"] = strings.Repeat("QUFB", 1000)
	if a := v.get("/admin/"); strings.Contains(a.body, strings.Repeat("A", 500)) {
		t.Error("a notice can be long")
	}
	if strings.Contains(s.log.String(), "can't evaluate") {
		t.Errorf("a template is wrong: %s", s.log)
	}
}

// harmless sees that a page has no markup but our own.
func harmless(t *testing.T, path string, a answer) {
	t.Helper()
	for name, values := range a.header {
		if strings.Contains(strings.Join(values, ""), "<xss") {
			t.Errorf("%s: the header %s is %q", path, name, values)
		}
	}
	for _, bad := range []string{"<xss", `"'`, "</script><!--", "<!--{{"} {
		if i := strings.Index(a.body, bad); i >= 0 {
			t.Errorf("%s has %q in %q", path, bad, a.body[max(0, i-80):min(len(a.body), i+80)])
		}
	}
	for _, tag := range tags.FindAllString(a.body, -1) {
		if tag = values.ReplaceAllString(tag, ""); handlers.MatchString(tag) {
			t.Errorf("%s has %s", path, tag)
		}
	}
	if n := strings.Count(a.body, "<script"); n > 1 {
		t.Errorf("%s has %d scripts", path, n)
	}
}

// TestDownload gives documents all kinds of names and types.
func TestDownload(t *testing.T) {
	s := start(t)
	s.fill(t, "formatted", "1")
	v := s.visit(t, "viewer")
	for i, name := range []string{"", "a.csv", `a"b.csv`, "a;filename=evil.html", "ü€.xml", "a b%41.txt", "x\u202egpj.exe", "<xss>.html", strings.Repeat("é", 120), "'*.js", "CON"} {
		s.formatters.writes("text/html", name, []byte(fmt.Sprintf("<script>alert(%d)</script>", i)))
		f, err := s.exchange.Fetch(t.Context(), "formatted", 1, host.Caller{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.exchange.Deliveries.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		a := v.get("/admin/queues/formatted/deliveries/" + f.Delivery + "/body")
		if a.status != http.StatusOK || a.body != string(f.Document.Body) || a.header.Get("Content-Type") != "application/octet-stream" ||
			a.header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q = %d, %v", name, a.status, a.header)
		}
		if name == "" {
			name = f.Delivery
		}
		kind, params, err := mime.ParseMediaType(a.header.Get("Content-Disposition"))
		if err != nil || kind != "attachment" || len(params) != 1 || params["filename"] != name {
			t.Errorf("%q is offered as %q", name, a.header.Get("Content-Disposition"))
		}
	}
}

// TestWriteFails has nothing shown or done that can't be written down.
func TestWriteFails(t *testing.T) {
	s := start(t)
	s.fill(t, "plain", `{"secret":"sesame"}`)
	s.fill(t, "plain", `{"secret":"sesame"}`)
	delivery := s.deliver(t, "plain")
	report := s.report(t, host.ErrorReport{Kind: host.ErrorHeld, Group: "plain", Title: "Held.", Details: "sesame"})
	s.plugins.put(host.PluginStatus{File: "records", Comparison: &host.Comparison{Groups: []host.GroupComparison{
		{Group: "plain", Differences: []host.Difference{{Diff: "-sesame\n+other"}}},
	}}})
	pages := []string{
		"/admin/queues/plain/messages/1", "/admin/queues/plain/deliveries/" + delivery, "/admin/queues/plain/deliveries/" + delivery + "/body",
		"/admin/errors/" + report, "/admin/plugins/records",
	}
	v := s.visit(t, "viewer")
	for _, path := range pages {
		before := len(s.audited(t))
		check(t, path, v.get(path), http.StatusOK, "sesame")
		if after := s.audited(t); len(after) != before+1 {
			t.Errorf("%s is not written down", path)
		}
	}
	operator := s.visit(t, "admin")
	for name, err := range map[string]error{"a full disk": host.ErrStoreFull, "a broken one": errSecret, "a store that is closed": host.ErrClosed} {
		s.store.writes.Store(&err)
		status := http.StatusServiceUnavailable
		if err == errSecret {
			status = http.StatusInternalServerError
		}
		for _, path := range append(slices.Clone(pages), "/admin/audit/export") {
			a := operator.get(path)
			check(t, name+": "+path, a, status)
			if strings.Contains(a.body, "sesame") || strings.Contains(a.body, "/very/secret") {
				t.Errorf("%s: %s shows what it must not: %s", name, path, a.body)
			}
		}
		for path, form := range map[string]url.Values{
			"/admin/queues/plain/move":                 {"ids": {"1"}, "action": {"unread"}},
			"/admin/queues/plain/add":                  {"data": {"1"}, "nonce": {"x"}},
			"/admin/queues/plain/search":               {"text": {"sesame"}},
			"/admin/queues/plain/keys":                 {"allow": {"poll"}},
			"/admin/plugins/records/restart":           nil,
			"/admin/errors/" + report + "/acknowledge": nil,
			"/admin/users":                             {"name": {"x"}, "role": {"viewer"}},
			"/admin/users/delete":                      {"name": {"viewer"}},
			"/admin/account/password":                  {"current": {password}, "password": {"another horse battery"}, "again": {"another horse battery"}},
			"/admin/account/sign-out-everywhere":       nil,
		} {
			a := operator.post(path, form)
			check(t, name+": "+path, a, status)
			if strings.Contains(a.body, "/very/secret") {
				t.Errorf("%s: %s says %s", name, path, a.body)
			}
		}
	}
	s.store.writes.Store(nil)
	if len(s.plugins.done) > 0 || len(s.keys.List()) > 0 {
		t.Errorf("there are %v, %v", s.plugins.done, s.keys.List())
	}
	if counts, err := s.store.Counts(t.Context(), "plain"); err != nil || counts.Last != 2 || counts.Read != 2 {
		t.Errorf("counts are %+v, %v", counts, err)
	}
}

// TestReadFails shows nothing of the cause.
func TestReadFails(t *testing.T) {
	s := start(t)
	s.fill(t, "plain", "1")
	v := s.visit(t, "admin")
	s.store.reads.Store(&errSecret)
	for _, path := range []string{"/admin/", "/admin/queues/plain", "/admin/queues/plain/messages/1"} {
		a := v.get(path)
		check(t, path, a, http.StatusInternalServerError, "in the daemon&#39;s log", a.header.Get("X-Request-Id"))
		if strings.Contains(a.body, "secret") || !strings.Contains(s.log.String(), a.header.Get("X-Request-Id")) {
			t.Errorf("%s says %s", path, a.body)
		}
	}
	s.store.reads.Store(nil)

	// What only operators may read of a plugin.
	s.fill(t, "formatted", "1")
	if a := v.get("/admin/queues/formatted/messages/1"); !strings.Contains(a.body, "/secret/records") {
		t.Errorf("an admin reads %s", a.body)
	}
	a := s.visit(t, "viewer").get("/admin/queues/formatted/messages/1")
	check(t, "a viewer", a, http.StatusOK, "it is not there")
	if strings.Contains(a.body, "/secret/records") {
		t.Error("a viewer reads where files are")
	}
}

// TestPanic has a page panic.
func TestPanic(t *testing.T) {
	s := start(t)
	v := s.visit(t, "admin")
	s.plugins.panicked = "secret"
	a := v.get("/admin/plugins")
	check(t, "a panic", a, http.StatusInternalServerError, "Something went wrong")
	if strings.Contains(a.body, "secret") || !strings.Contains(s.log.String(), "a page panicked") {
		t.Errorf("it says %s", a.body)
	}
	s.plugins.panicked = nil
	check(t, "afterwards", v.get("/admin/plugins"), http.StatusOK)
}

// TestStill has pages whose every look is written down not ask for themselves
// again.
func TestStill(t *testing.T) {
	s := start(t)
	s.fill(t, "plain", "1")
	delivery := s.deliver(t, "plain")
	v := s.visit(t, "viewer")
	for path, want := range map[string]bool{
		"": false, "/deliveries": false, "/messages/1": true, "/deliveries/" + delivery: true,
	} {
		if got := strings.Contains(v.get("/admin/queues/plain"+path).body, "data-still"); got != want {
			t.Errorf("%s: still is %v, want %v", path, got, want)
		}
	}
}

// TestLargeMessages looks at the largest messages and documents there can be.
func TestLargeMessages(t *testing.T) {
	s := start(t)
	v := s.visit(t, "viewer")
	look := func(path string) {
		t.Helper()
		began := time.Now()
		a := v.get(path)
		check(t, path, a, http.StatusOK)
		if took := time.Since(began); len(a.body) > 6<<20 || took > 10*time.Second {
			t.Errorf("%s has %d bytes after %s", path, len(a.body), took)
		} else {
			t.Logf("%s has %d bytes after %s", path, len(a.body), took)
		}
	}
	deep := strings.Repeat("[", 120) + strings.Repeat("1,", host.MaxMessageBytes/2-200) + "1" + strings.Repeat("]", 120)
	s.fill(t, "plain", deep, `"`+strings.Repeat(`\"`, host.MaxMessageBytes/2-2)+`"`, strings.Repeat(" ", 100)+"1")
	for id := range 3 {
		look(fmt.Sprint("/admin/queues/plain/messages/", id+1))
	}
	for range 12 { // a page of messages is 50 MiB of data
		s.fill(t, "plain", deep)
	}
	look("/admin/queues/plain")
	delivery := s.deliver(t, "plain")
	look("/admin/queues/plain/deliveries/" + delivery)
	look("/admin/queues/plain/deliveries/" + delivery + "?again=1")

	s.fill(t, "formatted", "1")
	for i, body := range []string{"<a>" + strings.Repeat("<b/>", 4<<20) + "</a>", "[" + strings.Repeat("1,", 32<<20) + "1]", strings.Repeat("\xff", 64<<20)} {
		s.formatters.writes([]string{"application/xml", "application/json", "text/plain"}[i], "", []byte(body))
		look("/admin/queues/formatted/messages/1")
	}
}
