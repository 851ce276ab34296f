package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDeliveries asks what was sent, after a restart and with another version of
// the plugin, and has damage found.
func TestDeliveries(t *testing.T) {
	d := newDaemon(t, "csv")
	d.start()
	must(t, "{\"a\":1}\n{\"a\":2}\n", "add", "csv", "--data", d.data)
	key := d.key("csv", "poll")
	r, err := d.fetch(t.Context(), key, "csv")
	if err != nil || r.status != 200 {
		t.Fatalf("fetch = %d %s, %v", r.status, r.body, err)
	}
	if _, err := d.fetch(t.Context(), key, "csv"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.mark(t.Context(), key, "csv", r.header.Get("Restante-Token")); err != nil {
		t.Fatal(err)
	}
	id := r.header.Get("Restante-Delivery")
	// A kill loses nothing of what was marked.
	_ = d.stop(syscall.SIGKILL)
	if err := os.WriteFile(d.config, []byte("plugin \"csv\" {\n  settings {\n    delimiter = \";\"\n  }\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	deliveries := func(args ...string) string {
		t.Helper()
		return must(t, "", append(append([]string{"deliveries"}, args...), "--data", d.data)...)
	}
	if out := deliveries("list", "csv"); !strings.Contains(out, id) || !strings.Contains(out, "csv 1.") || strings.Count(out, "\n") != 2 {
		t.Errorf("list prints\n%s", out)
	}
	out := deliveries("show", "csv", id)
	for _, want := range []string{"2: 1-2", fmt.Sprintf("%d bytes, text/csv", len(r.body)), "2 times", "Marked:       2", "key " + strings.Split(key, "_")[1]} {
		if !strings.Contains(out, want) {
			t.Errorf("show prints no %q:\n%s", want, out)
		}
	}
	if out := must(t, "", "messages", "show", "csv", "2", "--data", d.data); !strings.Contains(out, id) || !strings.Contains(out, `"a": 2`) {
		t.Errorf("messages show prints\n%s", out)
	}
	if out := deliveries("body", "csv", id); out != string(r.body) {
		t.Errorf("body prints %q, %q was fetched", out, r.body)
	}
	file := filepath.Join(t.TempDir(), "body")
	deliveries("body", "csv", id, "--out", file)
	if text, err := os.ReadFile(file); err != nil || !bytes.Equal(text, r.body) {
		t.Errorf("the file has %q, %v", text, err)
	}
	for _, args := range [][]string{{"body", "csv", id, "--out", file}, {"show", "csv", "none"}, {"list", "none"}} {
		if _, errs, err := run(t, "", append(append([]string{"deliveries"}, args...), "--data", d.data)...); err == nil {
			t.Errorf("deliveries %v succeeded", args)
		} else {
			t.Log(strings.TrimSpace(errs))
		}
	}
	verify := []string{"verify", "--data", d.data}
	if out := must(t, "", verify...); out != "All that is stored is as it should be.\n" {
		t.Errorf("verify prints\n%s", out)
	}
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	// Without a daemon, the same; and then one bit is flipped.
	if out := deliveries("body", "csv", id); out != string(r.body) {
		t.Errorf("body prints %q", out)
	}
	store := filepath.Join(d.data, "restante.db")
	text, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(text, []byte(`"contentType":"text/csv`))
	text[at+3] ^= 1
	if err := os.WriteFile(store, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, err := run(t, "", verify...); err == nil || !strings.Contains(out, "does not match its checksum") || !strings.Contains(errs, "has faults: 1") {
		t.Errorf("verify prints\n%s%s", out, errs)
	}
}
