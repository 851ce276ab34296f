package main

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// attack is what a message would say to have a page run a script.
const attack = `"><script>alert(1)</script><img src=x onerror=alert(2)>'-alert(3)-'</pre></textarea><svg onload=alert(4)>`

var invitation = regexp.MustCompile(`/admin/invitation\?token=[A-Za-z0-9_%-]+`)

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
	link := invitation.FindString(d.log.String())
	if link == "" {
		t.Fatalf("the log has no link for the first admin")
	}
	b.open(link)
	b.look("invitation")
	b.fill("input[name=password]", "correct horse battery")
	b.fill("input[name=again]", "correct horse battery")
	b.press("Set the password")
	b.says("Overview")
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
	if said := b.complaints.String(); said != "" {
		t.Errorf("the browser complains: %s", said)
	}
}
