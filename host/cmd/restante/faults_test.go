package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// installPicky builds a version of the plugin in testdata and puts it into the
// plugin folder.
func (d *daemon) installPicky(version string) {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "picky")
	build := exec.CommandContext(d.t.Context(), "go", "build", "-ldflags=-X main.version="+version, "-o", path, "./testdata/picky")
	if out, err := build.CombinedOutput(); err != nil {
		d.t.Fatalf("build: %v\n%s", err, out)
	}
	if err := os.Rename(path, filepath.Join(d.plugins, "picky")); err != nil {
		d.t.Fatal(err)
	}
}

// TestFaults has a plugin fail over single messages: they block the queue, are
// held instead after a reload, can be released, and leave with a better version.
func TestFaults(t *testing.T) {
	d := newDaemon(t)
	d.installPicky("1")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("")
	d.start()
	lines := strings.Split(strings.Repeat("{}\n", 16), "\n")
	lines[10] = `{"do":"panic"}`
	must(t, strings.Join(lines, "\n"), "add", "picky", "--data", d.data)
	key := d.key("picky", "poll,add")
	fetched := func(status int, want string) {
		t.Helper()
		r, err := d.fetch(t.Context(), key, "picky")
		if err != nil || r.status != status || !strings.Contains(string(r.body), want) {
			t.Errorf("fetch = %d %s, %v, want %d and %q", r.status, r.body, err, status, want)
		}
	}
	const blocked = "plugin picky can't format message 11"
	for range 5 { // the plugin is not crashed by each poll
		fetched(http.StatusServiceUnavailable, blocked)
	}
	if log := d.log.String(); strings.Count(log, "plugin can't format messages") != 1 || !strings.Contains(log, "11: its process ended: panic: I don't like it") {
		t.Error("the log does not say once what is wrong")
	}
	if log := d.log.String(); strings.Count(log, `"plugin ended"`) != 1 {
		t.Error("the plugin was not ended once")
	}
	configure("on_fault = \"block\"\nqueue \"picky\" {\n  on_fault = \"hold\"\n}\n")
	must(t, "", "reload", "--data", d.data)
	numbers := func(ids ...int) (text string) {
		for _, id := range ids {
			text += fmt.Sprintln(id)
		}
		return text
	}
	fetched(http.StatusOK, numbers(9, 10, 12, 13, 14, 15, 16))
	if out := must(t, "", "messages", "show", "picky", "11", "--data", d.data); !strings.Contains(out, "held") {
		t.Errorf("show prints\n%s", out)
	}
	if !strings.Contains(d.log.String(), "queue is free again") {
		t.Error("the log does not say that the queue is free again")
	}
	// All in one fetch.
	must(t, `{"do":"reject"}`+"\n"+`{"do":"error"}`+"\n{}\n", "add", "picky", "--data", d.data)
	r, err := d.call(t.Context(), "GET", "poll/picky/fetch?limit=100", key, "", nil)
	if err != nil || r.status != http.StatusOK || !strings.HasSuffix(string(r.body), numbers(15, 16, 19)) {
		t.Errorf("fetch = %d %s, %v", r.status, r.body, err)
	}
	// A better version, and the messages released.
	d.installPicky("2")
	eventually(t, "version 2 serves", func() error {
		if out := must(t, "", "plugins", "show", "picky", "--data", d.data); !strings.Contains(out, "picky 2") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	must(t, "", "messages", "unread", "picky", "11,17-18", "--data", d.data)
	r, err = d.call(t.Context(), "GET", "poll/picky/fetch?limit=100", key, "", nil)
	if err != nil || r.status != http.StatusOK || strings.Count(string(r.body), "\n") != 19 {
		t.Errorf("fetch = %d %s, %v", r.status, r.body, err)
	}
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// TestReject has a poller reject messages that it was given.
func TestReject(t *testing.T) {
	d := newDaemon(t)
	d.start()
	must(t, "1\n2\n3\n", "add", "plain", "--data", d.data)
	key := d.key("plain", "poll")
	r, err := d.fetch(t.Context(), key, "plain")
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"token": {r.header.Get("Restante-Token")}, "reject": {"2:no such student", "3:"}}.Encode()
	for _, want := range []string{"Marked: 1, Unread: 0", "Marked: 0, Unread: 0"} {
		m, err := d.call(t.Context(), "POST", "poll/plain/mark", key, "application/x-www-form-urlencoded", strings.NewReader(form))
		if err != nil || string(m.body) != want {
			t.Errorf("mark = %s, %v, want %s", m.body, err, want)
		}
	}
	out := must(t, "", "deliveries", "show", "plain", r.header.Get("Restante-Delivery"), "--data", d.data)
	for _, want := range []string{"Rejected:", "message 2: no such student\n", "message 3: -\n", "Marked:"} {
		if !strings.Contains(out, want) {
			t.Errorf("show prints no %q:\n%s", want, out)
		}
	}
	if log := d.log.String(); strings.Count(log, "receiver rejected messages") != 1 {
		t.Error("the log does not say once that messages were rejected")
	}
	if out := must(t, "", "messages", "list", "plain", "--data", d.data); strings.Count(out, "held") != 2 {
		t.Errorf("list prints\n%s", out)
	}
	must(t, "", "messages", "unread", "plain", "2-3", "--data", d.data)
	if r, err = d.fetch(t.Context(), key, "plain"); err != nil || r.header.Get("Restante-Count") != "2" {
		t.Errorf("when released: %s, %v", r.header.Get("Restante-Count"), err)
	}
}
