package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSettings changes a plugin's settings while it serves.
func TestSettings(t *testing.T) {
	d := newDaemon(t, "csv")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	with := func(settings string) string { return "plugin \"csv\" {\n  settings {\n" + settings + "\n  }\n}\n" }
	configure(with(`    delimiter = ";"`))
	d.start()
	must(t, `{"a":1}`, "add", "csv", "--data", d.data)
	key := d.key("csv", "poll")
	served := func(delimiter string) error {
		r, err := d.fetch(t.Context(), key, "csv")
		if err != nil || !strings.HasPrefix(string(r.body), "id"+delimiter+"datetime"+delimiter+"a\r\n") {
			return fmt.Errorf("fetch = %d %q, %v, want the delimiter %q", r.status, r.body, err, delimiter)
		}
		return nil
	}
	check := func(delimiter string) {
		t.Helper()
		if err := served(delimiter); err != nil {
			t.Error(err)
		}
	}
	check(";")
	show := func() string { return must(t, "", "plugins", "show", "csv", "--data", d.data) }
	if out := show(); !strings.Contains(out, `";"    configuration`) {
		t.Errorf("show prints\n%s", out)
	}

	if out := must(t, "", "reload", "--data", d.data); out != "The configuration was read again.\n" {
		t.Errorf("a reload of nothing new prints\n%s", out)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(d.config), "delimiter.txt"), []byte("|\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	configure("listen = \"127.0.0.1:1\"\nlog_level = \"debug\"\nplugins_lock = \"warn\"\n" + with(`    delimiter = file("delimiter.txt")`))
	if out := must(t, "", "reload", "--data", d.data); !strings.Contains(out, "The plugin csv runs with its new settings.\nRestart the daemon for what changed in: plugins_lock\n") {
		t.Errorf("reload prints\n%s", out)
	}
	check("|")

	// What can't be used changes nothing.
	for settings, want := range map[string]string{
		`    delimiter = ";;"`:                      `it says: the delimiter is ";;"`,
		`    delimiter = 1`:                         `the setting "delimiter": it must be a string`,
		`    delimitter = ","`:                      `there is no setting "delimitter": the plugin has delimiter; correct the block plugin "csv"`,
		`    delimiter = [","]`:                     "on " + d.config + " line 3",
		`    delimiter = env("RESTANTE_TEST_NONE")`: "the environment variable RESTANTE_TEST_NONE is not set",
		`    delimiter = `:                          "Invalid expression",
	} {
		configure(with(settings))
		out, errs, err := run(t, "", "reload", "--data", d.data)
		if err == nil || !strings.Contains(out+errs, want) {
			t.Errorf("reload with %s prints\n%s%s", settings, out, errs)
		}
		check("|")
	}
	configure(with(`    delimiter = ";;"`))
	run(t, "", "reload", "--data", d.data)
	if out := show(); !strings.Contains(out, "it goes on with the settings that it had: ") {
		t.Errorf("show prints\n%s", out)
	}

	configure("")
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a signal has the default taken", func() error { return served(",") })
	if out := show(); !strings.Contains(out, `","    default`) || strings.Contains(out, "goes on") {
		t.Errorf("show prints\n%s", out)
	}

	// With settings that it can't use a plugin does not start, and the reload
	// that mends them starts it.
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	configure(with(`    delimiter = ""`))
	d.start()
	if r, err := d.fetch(t.Context(), key, "csv"); err != nil || r.status != 503 {
		t.Errorf("fetch = %d %s, %v", r.status, r.body, err)
	}
	if out := must(t, "", "plugins", "list", "--data", d.data); !strings.Contains(out, "rejected") || !strings.Contains(out, "the delimiter is") {
		t.Errorf("list prints\n%s", out)
	}
	configure(with(`    delimiter = "\t"`))
	if out := must(t, "", "reload", "--data", d.data); !strings.Contains(out, "The plugin csv runs with") {
		t.Errorf("reload prints\n%s", out)
	}
	check("\t")
}

// TestReloadNeedsADaemon has nobody to ask.
func TestReloadNeedsADaemon(t *testing.T) {
	d := newDaemon(t)
	d.start()
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, errs, err := run(t, "", "reload", "--data", d.data); err == nil || !strings.Contains(errs, "no daemon is running") {
		t.Error(errors.New(errs))
	}
}
