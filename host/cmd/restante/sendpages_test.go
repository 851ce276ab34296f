package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestPagesOfSending has messages sent, refused, paused and tried out on the pages.
func TestPagesOfSending(t *testing.T) {
	d, r := newDaemon(t), newReceiver(t)
	data := []string{"--data", d.data}
	with := func(args ...string) []string { return append(args, data...) }
	configure := func(sendFrom string) {
		d.sendTo(r, sendFrom, "schedule = \"30 6 * * mon-fri\"\n    time_zone = \"Europe/Berlin\"")
		more, err := os.OpenFile(d.config, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer more.Close()
		fmt.Fprintln(more, `queue "closed" { method = "send" }`)
	}
	configure("elsewhere")
	d.start()
	must(t, "1\n2\n3\n", with("add", "pushed")...)
	b := newBrowser(t, "http://"+d.address)
	b.open(d.firstLink())
	b.choosePassword()
	b.says("Nothing is sent from here")
	b.open("/admin/queues/pushed/sending")
	b.says("Nothing is sent from here")
	b.says(`send_from is "elsewhere"`)
	b.look("sending-off")
	configure(machine(t))
	must(t, "", with("reload")...)

	sending := func() { t.Helper(); b.open("/admin/queues/pushed/sending") }
	state := func(want string) {
		t.Helper()
		eventually(t, "sending is "+want, func() error {
			if sending(); !strings.Contains(b.text("#sending"), want) {
				return fmt.Errorf("%s", b.text("body"))
			}
			return nil
		})
	}
	state("idle")
	b.says("3 messages")
	b.says("30 6 * * mon-fri in Europe/Berlin, next in ")
	b.says(" 06:30); when somebody asks")
	b.look("sending-idle")
	b.press("Send outstanding messages")
	b.says("3 messages are outstanding, and will be sent to " + r.URL + "/in")
	b.look("sending-confirm")
	b.press("Send")
	b.says("Asked for: 3 messages are outstanding")
	state("Nothing is outstanding.")
	b.says("sent 200")
	if all := r.got(); len(all) != 1 || fmt.Sprint(all[0].ids) != "[1 2 3]" {
		t.Fatalf("received %+v", all)
	}

	// What is refused, with an answer that would run scripts.
	r.script(func(_ int, w http.ResponseWriter) {
		w.Header().Set("Server", attack)
		http.Error(w, attack, http.StatusUnprocessableEntity)
	})
	must(t, "4\n", with("add", "pushed")...)
	sending()
	b.press("Send outstanding messages")
	b.press("Send")
	state("blocked")
	b.says("refused 422")
	b.press("Show what was answered")
	b.says("<script>alert(1)</script>")
	b.look("sending-blocked")
	b.press("a batch of 1 message")
	b.says("Attempts to send it")
	b.says("<script>alert(1)</script>")
	b.look("sending-delivery")
	b.open("/admin/")
	b.says("blocked")
	b.look("sending-overview")
	b.press("Not sent")
	b.press("how sending is")
	r.script(func(int, http.ResponseWriter) {})
	b.press("Resume")
	b.says("1 message is outstanding")
	b.press("Resume")
	b.says("Resumed.")
	state("idle")

	b.press("Pause")
	b.press("Pause")
	b.says("Paused by admin.")
	b.open("/admin/queues/pushed/add")
	b.fill("textarea", "5")
	b.submit("form.stack")
	sending()
	b.says("1 message")
	b.look("sending-paused")
	b.press("Resume")
	b.press("Resume")
	state("idle")
	b.press("Send outstanding messages")
	b.press("Send")
	state("Nothing is outstanding.")
	if n := len(r.got()); n != 4 {
		t.Errorf("%d requests arrived, want 4", n)
	}

	// A test goes where the queue may send, and marks nothing.
	must(t, "6\n", with("add", "pushed")...)
	must(t, "7\n", with("add", "closed")...)
	sending()
	b.press("Send a test batch")
	b.fill("input[name=url]", r.URL+"/test")
	b.submit("form.stack")
	b.says("sent 200")
	b.look("sending-test")
	if all := r.got(); len(all) != 5 || !strings.HasPrefix(all[4].key, "test-") {
		t.Errorf("received %+v", all)
	}
	sending()
	b.says("1 message")
	for url, says := range map[string]string{
		r.URL: "of this machine", "https://localhost/": "of this machine", "https://169.254.169.254/latest/meta-data/": "metadata",
		"http://10.0.0.1/": "private",
	} {
		b.open("/admin/queues/closed/sending/test")
		b.fill("input[name=url]", url)
		b.submit("form.stack")
		b.says(says)
	}
	b.look("sending-test-refused")
	if n := len(r.got()); n != 5 {
		t.Errorf("%d requests arrived, want 5", n)
	}
	b.open("/admin/queues/pushed/connect")
	b.look("sending-connect")
	b.open("/admin/queues/pushed/deliveries")
	b.look("sending-deliveries")
	b.open("/admin/audit")
	for _, action := range []string{"sending asked for", "sending paused", "sending resumed", "test batch sent", "answers of the receiver looked at"} {
		b.says(action)
	}
	b.quiet()
}
