//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTrampoline walks lists that end in all ways that there are.
func TestTrampoline(t *testing.T) {
	const failed = giveUpPrefix + "try: "
	for _, test := range []struct {
		name string
		list func(*steps)
		says string
		code int
	}{
		{"all is well", func(*steps) {}, "", 7},
		{"a call fails", func(s *steps) { s.call(unix.SYS_CLOSE, 99) }, failed + "bad file descriptor\n", FailedStatus},
		{"a call fails as it may", func(s *steps) {
			s.call(unix.SYS_CLOSE, 99)
			s.tolerate(unix.EBADF)
		}, "", 7},
		{"a call fails in another way", func(s *steps) {
			s.call(unix.SYS_CLOSE, 99)
			s.tolerate(unix.ENOENT)
		}, failed + "bad file descriptor\n", FailedStatus},
		{"a call fails in any way", func(s *steps) {
			s.call(unix.SYS_CLOSE, 99)
			s.tolerate(anyFault)
		}, "", 7},
		{"too little is done", func(s *steps) {
			s.entries[s.call(unix.SYS_WRITE, 2, s.text("ab"), 2)].least = 3
		}, "ab" + failed + "it was not done, or not all of it\n", FailedStatus},
		{"enough is done", func(s *steps) {
			s.entries[s.call(unix.SYS_WRITE, 2, s.text("ab"), 2)].least = 2
		}, "ab", 7},
		{"a result is passed on twice", func(s *steps) {
			file := s.call(unix.SYS_DUP, 2)
			s.store(file, s.call(unix.SYS_WRITE, 0, s.text("c"), 1), 0)
			s.store(file, s.call(unix.SYS_CLOSE), 0)
		}, "c", 7},
		{"no such call", func(s *steps) { s.call(4000) }, failed + "function not implemented\n", FailedStatus},
	} {
		s := &steps{}
		s.begin("try")
		test.list(s)
		s.begin("end")
		// The environment goes to an argument that this call does not have.
		file, err := s.file(s.call(unix.SYS_EXIT_GROUP, 7), 3)
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		cmd := exec.Cmd{Path: "/proc/self/fd/3", ExtraFiles: []*os.File{file}, Stderr: &said, Env: []string{"A=b"}}
		_ = cmd.Run()
		_ = file.Close()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != test.code || said.String() != test.says {
			t.Errorf("%s: %v, %q, want status %d, %q", test.name, cmd.ProcessState, said.String(), test.code, test.says)
		}
	}
}

// TestTrampolineKeepsItsLimits makes lists that are too long.
func TestTrampolineKeepsItsLimits(t *testing.T) {
	long := &steps{}
	for range maxTable/entryBytes + 1 {
		long.call(unix.SYS_GETPID)
	}
	if file, err := long.file(0, 3); err == nil {
		_ = file.Close()
		t.Error("a list that reaches into what follows it: no error")
	}
	large := &steps{blob: make([]byte, maxBlob)}
	if file, err := large.file(large.call(unix.SYS_GETPID), 3); err == nil {
		_ = file.Close()
		t.Error("a script that is too large: no error")
	}
}
