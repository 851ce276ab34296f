//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckCommand checks what is no plugin, and wrong arguments.
func TestCheckCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "script")
	if err := os.WriteFile(file, []byte("#!/bin/sh\necho hello\nexit 4\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.ndjson")
	if err := os.WriteFile(bad, []byte("{\"a\":1}\n{\"a\":\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":         {[]string{filepath.Join(dir, "none")}, "no such file"},
		"no samples file": {[]string{file, "--samples", "g=" + filepath.Join(dir, "none")}, "no such file"},
		"bad samples":     {[]string{file, "--samples", "g=" + bad}, "line 2"},
		"no group":        {[]string{file, "--samples", bad}, "is not GROUP=FILE"},
		"bad group":       {[]string{file, "--samples", "g g=" + bad}, "g g"},
		"group twice":     {[]string{file, "--samples", "g=" + bad, "--samples", "g=" + bad}, "twice"},
		"repeats":         {[]string{file, "--repeats", "1"}, "--repeats"},
		"fails":           {[]string{file}, "did not pass"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, err := run(t, "", append([]string{"plugins", "check"}, c.args...)...)
			if err == nil || !strings.Contains(errs, c.want) || !strings.Contains(errs, "restante: error: ") {
				t.Errorf("it printed %s (%v), want %q", errs, err, c.want)
			}
		})
	}
	out, _, err := run(t, "", "plugins", "check", file, "--json")
	var report struct {
		File, SHA256 string
		Checks       []struct{ Check, Status, Seen string }
	}
	if err == nil || json.Unmarshal([]byte(out), &report) != nil || len(report.Checks) != 4 {
		t.Fatalf("check --json: %v\n%s", err, out)
	}
	if c := report.Checks[2]; c.Check != "start" || c.Status != "failed" || !strings.Contains(c.Seen, "status 4") {
		t.Errorf("the third check is %+v", c)
	}
}

// TestProgress sees that nothing is shown where there is no terminal.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, "checking: ")
	p.shown = true
	p.step("one")
	p.end()
	if out.Len() > 0 {
		t.Errorf("it printed %q", &out)
	}
}
