package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPluginVersions puts a second build of a plugin in the place of the first,
// and goes back.
func TestPluginVersions(t *testing.T) {
	d := newDaemon(t, "csv")
	d.start()
	must(t, "{\"a\":1}\n{\"a\":2}", "add", "csv", "--data", d.data)
	second := filepath.Join(t.TempDir(), "csv")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s", "-o", second, "github.com/restante/restante/plugins/csv")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	plugins := func(args ...string) string {
		t.Helper()
		return must(t, "", append(append([]string{"plugins"}, args...), "--data", d.data)...)
	}
	if out := plugins("preview", second); !strings.Contains(out, "csv: 2 messages, all documents are the same") {
		t.Errorf("preview prints\n%s", out)
	}
	first := plugins("show", "csv")
	if err := os.Rename(second, filepath.Join(d.plugins, "csv")); err != nil {
		t.Fatal(err)
	}
	digest := func(text string) string { return text[strings.Index(text, "SHA-256:"):][:30] }
	eventually(t, "the second build serves", func() error {
		if out := plugins("show", "csv"); digest(out) == digest(first) {
			return errors.New(out)
		}
		return nil
	})
	if out := plugins("rollback", "csv"); out != "rolled back csv\n" {
		t.Errorf("rollback prints %q", out)
	}
	if out := plugins("show", "csv"); digest(out) != digest(first) || !strings.Contains(out, "quarantined: it was rolled back by hand") {
		t.Errorf("show prints\n%s", out)
	}
	if out := plugins("approve", "csv"); out != "approved csv\n" {
		t.Errorf("approve prints %q", out)
	}
	if out := plugins("show", "csv"); digest(out) == digest(first) {
		t.Errorf("show prints\n%s", out)
	}
	if out := plugins("lock"); !strings.HasSuffix(out, "  csv\n") {
		t.Errorf("lock prints\n%s", out)
	}
	if err := os.WriteFile(filepath.Join(d.plugins, "extra"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is not in the lock file is refused", func() error {
		if out := plugins("list"); !strings.Contains(out, "extra: its file can't be used: it is not in plugins.lock") {
			return errors.New(out)
		}
		return nil
	})
	for _, args := range [][]string{{"show", "nobody"}, {"approve", "csv"}, {"preview", d.config}} {
		if _, errs, err := run(t, "", append(append([]string{"plugins"}, args...), "--data", d.data)...); err == nil {
			t.Errorf("plugins %v succeeded", args)
		} else {
			t.Log(strings.TrimSpace(errs))
		}
	}
}
