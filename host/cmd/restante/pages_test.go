package main

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// attack is what a message would say to have a page run a script.
const attack = `"><script>alert(1)</script><img src=x onerror=alert(2)>'-alert(3)-'</pre></textarea><svg onload=alert(4)>`

var invitation = regexp.MustCompile(`/admin/invitation\?token=[A-Za-z0-9_%-]+`)

// firstLink is where the first admin chooses a password.
func (d *daemon) firstLink() string {
	d.t.Helper()
	link := invitation.FindString(d.log.String())
	if link == "" {
		d.t.Fatal("the log has no link for the first admin")
	}
	return link
}

func (b *browser) choosePassword() {
	b.t.Helper()
	b.fill("input[name=password]", goodPassword)
	b.fill("input[name=again]", goodPassword)
	b.press("Set the password")
	b.says("Overview")
}

// TestPages goes through all pages in a real browser, as an admin would.
func TestPages(t *testing.T) {
	d := newDaemon(t, "student-records", "csv")
	if err := os.WriteFile(d.config, []byte(`
queue "plain" {
  title       = "Plain <b>JSON</b>"
  description = "Messages in the default format"
}
queue "pushed" { method = "send" }
plugin "csv" { swap = "approve" }
`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	must(t, strings.Repeat(`{"name":"Ada","text":"`+strings.ReplaceAll(attack, `"`, `\"`)+`"}`+"\n", 40), "add", "plain", "--data", d.data, "--lines")
	must(t, `{"hello":"world"}`+"\n", "add", "csv", "--data", d.data)
	b := newBrowser(t, "http://"+d.address)

	// Whoever is not signed in sees nothing.
	b.open("/admin/queues/plain")
	b.says("Sign in")
	b.look("sign-in")
	b.open(d.firstLink())
	b.look("invitation")
	b.choosePassword()
	b.look("overview")

	// Add by hand, wrong and right.
	b.open("/admin/queues/plain")
	b.look("queue")
	b.press("Add message")
	b.fill("textarea", `{"name": `)
	b.submit("form.stack")
	b.says("That is no message")
	b.look("add")
	b.fill("textarea", `{"name":"Grace","n":1.50}`)
	b.submit("form.stack")
	b.says("Message 41 added.")
	b.says("by hand, by admin")
	b.says("1.50")
	b.look("message")

	// A key, and a poll with it.
	b.open("/admin/queues/plain/connect")
	b.press("Create API key")
	key := b.text("#new-key")
	b.look("connect")
	fetched, err := d.fetch(t.Context(), key, "plain")
	if err != nil || fetched.status != http.StatusOK {
		t.Fatalf("fetch with the new key: %v, %d %s", err, fetched.status, fetched.body)
	}
	if _, err := d.mark(t.Context(), key, "plain", fetched.header.Get("Restante-Token")); err != nil {
		t.Fatal(err)
	}
	b.open("/admin/queues/plain/connect")
	if text := b.text("body"); strings.Contains(text, key) {
		t.Error("the key is shown again")
	}
	b.open("/admin/queues/plain/deliveries")
	b.look("deliveries")
	b.follow("tbody a")
	b.says("byte for byte")
	b.press("Format again")
	b.says("The same bytes")
	b.look("delivery")

	// A range made unread.
	b.open("/admin/queues/plain?status=read")
	b.fill("input[name=ids]", "1-10")
	b.press("Make unread")
	b.says("10 messages will change")
	b.look("move")
	b.press("Make 10 messages unread")
	b.says("10 messages made unread.")

	b.open("/admin/queues/plain")
	b.fill("input[name=text]", "grace")
	b.press("Search")
	b.says("1 message")
	b.look("search")

	b.open("/admin/plugins")
	b.look("plugins")
	b.press("csv")
	b.look("plugin")
	b.open("/admin/errors")
	b.look("errors")
	b.open("/admin/audit")
	b.says("messages made unread")
	b.look("audit")
	b.open("/admin/users")
	b.fill("form.row input[name=name]", "grace@example.org")
	b.press("Make a link")
	b.look("users")
	b.open("/admin/account")
	b.look("account")
	b.open("/admin/nothing")
	b.look("failure")
	b.press("Sign out")
	b.says("Sign in")
	b.quiet()
}

// TestPagesOfPlugins has a plugin reject a message, and another version of it wait
// for approval.
func TestPagesOfPlugins(t *testing.T) {
	d := newDaemon(t)
	if err := os.WriteFile(d.config, []byte("plugin \"picky\" { swap = \"approve\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.installPicky("1")
	d.start()
	must(t, `{"do":"reject"}`+"\n{}\n", "add", "picky", "--data", d.data, "--lines")
	key := d.key("picky", "poll")
	if r, err := d.fetch(t.Context(), key, "picky"); err != nil || r.status != http.StatusServiceUnavailable {
		t.Fatalf("fetch = %d %s, %v", r.status, r.body, err)
	}
	b := newBrowser(t, "http://"+d.address)
	b.open(d.firstLink())
	b.choosePassword()

	b.open("/admin/errors")
	b.says("Queue blocked")
	b.press("Queue blocked")
	b.says("I can't")
	b.look("report")
	b.press("Acknowledge")
	b.says("All is well: nothing needs attention.")
	b.says("Acknowledged, and not over yet")
	b.press("Queue blocked")
	b.press("Reopen")
	b.says("Reopened.")
	b.open("/admin/queues/picky/messages/1")
	b.says("The plugin can't format it: I can't")

	d.installPicky("3")
	eventually(t, "the other version waits", func() error {
		if b.open("/admin/plugins"); !strings.Contains(b.text("body"), "version waits") {
			return errors.New(b.text("body"))
		}
		return nil
	})
	b.press("picky")
	b.says("What the waiting version would change")
	b.says("-2")
	b.says("+message 2")
	b.look("plugin-waits")
	b.press("Approve")
	b.says("Have the waiting version of picky serve?")
	b.look("confirm")
	b.press("Approve")
	b.says("picky approved.")
	eventually(t, "the approved version serves", func() error {
		b.open("/admin/plugins/picky")
		if text := b.text("body"); !strings.Contains(text, "picky 3") || !strings.Contains(text, "active") {
			return errors.New(text)
		}
		return nil
	})
	b.open("/admin/queues/picky/messages/2")
	b.says("message 2")
	b.quiet()
}

// TestPagesByKey signs in and acknowledges an error with nothing but keys.
func TestPagesByKey(t *testing.T) {
	d := newDaemon(t)
	d.start()
	d.rejected(attack)
	b := newBrowser(t, "http://"+d.address)
	b.open(d.firstLink())
	b.tab("password")
	b.do(chromedp.KeyEvent(goodPassword))
	b.tab("again")
	b.do(chromedp.KeyEvent(goodPassword))
	b.enter()
	b.says("Overview")
	b.tab("Sign out")
	b.enter()
	b.do(chromedp.KeyEvent("admin")) // the field has the focus
	b.tab("password")
	b.do(chromedp.KeyEvent(goodPassword))
	b.enter()
	b.tab("Errors")
	b.enter()
	b.tab("Acknowledge")
	b.enter()
	b.says("Acknowledged.")
	b.says("All is well: nothing needs attention.")
	b.quiet()
}

// rejected has a poller reject a message of the queue "plain".
func (d *daemon) rejected(reason string) {
	d.t.Helper()
	must(d.t, "1\n", "add", "plain", "--data", d.data)
	key := d.key("plain", "poll")
	r, err := d.fetch(d.t.Context(), key, "plain")
	if err != nil {
		d.t.Fatal(err)
	}
	form := url.Values{"token": {r.header.Get("Restante-Token")}, "reject": {"1:" + reason}}.Encode()
	m, err := d.call(d.t.Context(), "POST", "poll/plain/mark", key, "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil || m.status != http.StatusOK {
		d.t.Fatalf("mark = %d %s, %v", m.status, m.body, err)
	}
}

// TestPagesWithoutScripts does what matters in a browser that runs no scripts.
func TestPagesWithoutScripts(t *testing.T) {
	d := newDaemon(t)
	d.start()
	b := newBrowser(t, "http://"+d.address)
	b.scripts(false)
	b.open(d.firstLink())
	b.choosePassword()
	b.press("Sign out")
	b.fill("input[name=name]", "admin")
	b.fill("input[name=password]", goodPassword)
	b.press("Sign in")
	b.open("/admin/queues/plain/add")
	b.fill("textarea", `{"name":"Grace"}`)
	b.submit("form.stack")
	b.says("Message 1 added.")
	key := d.key("plain", "poll")
	r, err := d.fetch(t.Context(), key, "plain")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.mark(t.Context(), key, "plain", r.header.Get("Restante-Token")); err != nil {
		t.Fatal(err)
	}
	b.open("/admin/queues/plain")
	b.do(chromedp.Click(chromedp.CSS("tbody input[name=id]")))
	b.press("Make unread")
	b.press("Make 1 message unread")
	b.says("1 message made unread.")
	b.quiet()
}

// TestPagesUnderAttack has everybody who can say something say it on all pages.
func TestPagesUnderAttack(t *testing.T) {
	d := newDaemon(t)
	d.start()
	d.rejected(attack)
	text := strings.ReplaceAll(attack, `"`, `\"`)
	must(t, `{"`+text+`":"`+text+`"}`, "add", "plain", "--data", d.data, "--key", attack)
	must(t, "", "users", "invite", strings.ReplaceAll(attack, "onload", "on"), "--role", "viewer", "--data", d.data)
	b := newBrowser(t, "http://"+d.address)
	b.open(d.firstLink())
	b.choosePassword()
	b.open("/admin/queues/plain/connect")
	b.fill("input[name=note]", attack)
	b.press("Create API key")
	b.says("It is shown this once")
	b.says("<script>alert(1)</script>")
	b.open("/admin/queues/plain")
	b.fill("input[name=text]", attack)
	b.press("Search")
	b.says("<script>alert(1)</script>")
	key := d.key("plain", "poll")
	if _, err := d.fetch(t.Context(), key, "plain"); err != nil {
		t.Fatal(err)
	}
	query := url.QueryEscape(attack)
	for _, path := range []string{
		"/admin/queues/plain", "/admin/queues/plain/messages/2", "/admin/queues/plain?key=" + query, "/admin/queues/plain?id=" + query,
		"/admin/queues/plain?status=" + query, "/admin/audit", "/admin/users",
	} {
		b.open(path)
		b.says("<script>alert(1)</script>")
	}
	for _, path := range []string{"/admin/", "/admin/sign-in?next=" + query, "/admin/invitation?token=" + query, "/admin/" + url.PathEscape(attack)} {
		b.open(path)
	}
	b.open("/admin/errors")
	b.press("Rejected by receiver")
	b.says("<script>alert(1)</script>")
	b.open("/admin/queues/plain/deliveries")
	b.follow("tbody a")
	b.says("<script>alert(1)</script>")
	b.quiet()
}
