//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNewPlugin writes a plugin's repository from within this checkout, does
// with it what its author would do first, without a network, and checks it.
func TestNewPlugin(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "")
	dir := filepath.Join(t.TempDir(), "it's new")
	out := must(t, "", "plugin", "new", "student-records", "--group", "student:all", "--module", "example.org/acme/records", "--dir", dir)
	for _, want := range []string{"main_test.go", "\n  cd '", "make test", "restante plugins check bin/student-records --samples student:all=samples.ndjson"} {
		if !strings.Contains(out, want) {
			t.Errorf("it printed no %q:\n%s", want, out)
		}
	}
	for _, command := range []string{"gofmt -l -d .", "go mod tidy -diff", "go vet ./...", "go test ./...", "make build"} {
		words := strings.Fields(command)
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil || words[0] == "gofmt" && len(out) > 0 {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	report := must(t, "", "plugins", "check", filepath.Join(dir, "bin", "student-records"),
		"--samples", "student:all="+filepath.Join(dir, "samples.ndjson"), "--repeats", "4")
	for _, want := range []string{"student-records 0.1.0", "Group student:all", "4 runs over 2 processes gave the same", "Nothing failed in 19 checks."} {
		if !strings.Contains(report, want) {
			t.Errorf("the report has no %q:\n%s", want, report)
		}
	}

	// A second one, and one that go can't complete.
	if _, errs, err := run(t, "", "plugin", "new", "other", "--dir", dir); err == nil || !strings.Contains(errs, dir) || !strings.Contains(errs, "restante: hint: ") {
		t.Errorf("a second plugin in the same folder: %v\n%s", err, errs)
	}
	cmd := restante(t.Context(), "plugin", "new", "other", "--json")
	cmd.Dir = t.TempDir()
	text, err := cmd.Output()
	var made struct {
		Dir, Name, Group, Incomplete string
		Files                        []string
	}
	if err != nil || json.Unmarshal(text, &made) != nil || made.Incomplete == "" || made.Group != "other" || len(made.Files) < 10 {
		t.Errorf("plugin new outside of a checkout, without a network: %v\n%s", err, text)
	}
	if _, err := os.Stat(filepath.Join(made.Dir, "main.go")); err != nil {
		t.Error(err)
	}
}
