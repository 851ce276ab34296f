//go:build amd64 || arm64

package sandbox_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/restante/restante/host/formatter/sandbox"
)

// TestImages starts a program again after its file has changed.
func TestImages(t *testing.T) {
	support := probe(t, sandbox.FileRules, sandbox.CallFilter, sandbox.ResourceLimits)
	content, err := os.ReadFile(programPath(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	before := openDescriptors(t)
	var images sandbox.Images
	s, err := sandbox.New(sandbox.Config{Mode: sandbox.BestEffort, Support: support, Images: &images})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	p := sandbox.Program{Name: "program", Path: path, Digest: hex.EncodeToString(sum[:]), Dir: shortFolder(t)}
	start := func() {
		cmd, err := s.Command(p)
		if err != nil {
			t.Error(err)
			return
		}
		r := &run{Cmd: cmd}
		r.Env, r.Stdout, r.Stderr = []string{programVariable + "=open"}, &r.stdout, &r.stderr
		if err := r.finish(t.Context()); err != nil || r.stdout.String() != "open\n" {
			t.Errorf("%v: %s%s", err, r.stdout.String(), r.stderr.String())
		}
		for _, f := range cmd.ExtraFiles {
			_ = f.Close()
		}
	}
	var starting sync.WaitGroup
	for range 4 {
		starting.Go(start)
	}
	starting.Wait()

	// What runs is the copy, though the file is another one; what it is is
	// looked up by its first bytes.
	if err := os.WriteFile(path, append(content, "changed"...), 0o700); err != nil {
		t.Fatal(err)
	}
	start()
	if err := images.Forget(p.Digest); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Command(p); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("Command of a changed file that is not kept = %v", err)
	}
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	start()
	if err := images.Close(); err != nil {
		t.Fatal(err)
	}
	if after := openDescriptors(t); after > before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

// openDescriptors counts the files that this process has open.
func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
