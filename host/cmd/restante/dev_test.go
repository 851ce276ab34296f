package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPluginDev edits the source of a plugin as its author would.
func TestPluginDev(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	// Within the module, so that it builds with the SDK at hand; packages of such
	// a name belong to no pattern.
	dir, err := os.MkdirTemp(".", "_dev-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	source, err := os.ReadFile(filepath.Join(root, "examples/plugin/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("main.go", string(source))
	write("samples.ndjson", "{\"a\":1}\n{\"a\":2}\n")

	cmd := restante(context.Background(), "plugin", "dev", dir)
	var out safeBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	seen := 0
	until := func(want string) string {
		t.Helper()
		eventually(t, "it prints "+want, func() error {
			if !strings.Contains(out.String()[seen:], want) {
				return errors.New(out.String())
			}
			return nil
		})
		text := out.String()[seen:]
		seen += len(text)
		return text
	}
	text := until("poll/lines/fetch\n")
	if !strings.Contains(text, "Built; lines 1.0.0 serves lines.") {
		t.Errorf("it prints\n%s", text)
	}
	curl := text[strings.Index(text, "curl"):]
	fetched, err := exec.CommandContext(t.Context(), "sh", "-c", curl).Output()
	if err != nil || !strings.Contains(string(fetched), `{"a":2}`) {
		t.Errorf("%s gives %q, %v", curl, fetched, err)
	}
	write("main.go", string(source)+"\nvar x = y\n")
	until("undefined: y")
	write("main.go", strings.Replace(string(source), `"1.0.0"`, `"1.1.0"`, 1)+"\nfunc init() { println(\"so long\"); panic(\"no\") }\n")
	until("Built, but it does not serve")
	write("main.go", strings.Replace(string(source), `'\n'`, `';'`, 1))
	until("2 messages, 2 of them are written differently")
	write("main.go", strings.Replace(string(source), `'\n'`, `';'`, 1))
	until("it is the same program as before")

	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	t.Log(out.String())
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "restante-dev-*")); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}
