//go:build amd64 || arm64

package sandbox_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/restante/restante/host/formatter/sandbox"
)

// TestServe has a program listen on a socket in its folder, and calls it.
func TestServe(t *testing.T) {
	for name, support := range tiers(t) {
		t.Run(name, func(t *testing.T) {
			r := begin(t, support, programPath(t), "serve")
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = read.Close() }()
			r.Stdout = write
			ended := make(chan error, 1)
			go func() { ended <- r.finish(t.Context()) }()
			path, err := bufio.NewReader(read).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			path = strings.TrimSpace(path)
			if want := filepath.Join(r.dir, "plugin"); path != want {
				t.Fatalf("the program listens on %q, want %q", path, want)
			}
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if err != nil || string(got) != "hello" {
				t.Errorf("the program said %q, %v", got, err)
			}
			_ = conn.Close()
			err = <-ended
			_ = write.Close()
			if err != nil {
				t.Errorf("the program ended with %v: %s", err, r.stderr.String())
			}
			if left, _ := os.ReadDir(r.dir); len(left) > 0 {
				t.Errorf("the program could not clear away %v", left)
			}
		})
	}
}

// TestSurroundings asks a program what it finds around it.
func TestSurroundings(t *testing.T) {
	// A file that our own parent could have left us, and that is handed on.
	leak, err := unix.FcntlInt(os.Stdin.Fd(), unix.F_DUPFD, 40)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(leak) }()
	for name, support := range tiers(t) {
		t.Run(name, func(t *testing.T) {
			r := begin(t, support, programPath(t), "report")
			r.Env = append(r.Env, "EMPTY=", "TEXT=a=b c")
			if err := r.finish(t.Context()); err != nil {
				t.Fatalf("%v: %s", err, r.stderr.String())
			}
			var got report
			if err := json.Unmarshal(r.stdout.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			want := report{
				Args: []string{"program"}, Env: r.Env, Files: []int{0, 1, 2}, Folder: "/",
				User: os.Getuid(), Process: r.Process.Pid, NoNew: 1, Filters: 2,
			}
			want.Host, _ = os.Hostname()
			if support.Has(sandbox.Namespaces) {
				want.Process, want.Host = 1, "plugin"
				if want.User == 0 {
					want.User = 65534
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the program found\n%+v, want\n%+v", got, want)
			}
		})
	}
}

// TestWhatWasHashedIsRun looks at the file that a running program has.
func TestWhatWasHashedIsRun(t *testing.T) {
	for name, support := range tiers(t) {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(programPath(t))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "copy")
			if err := os.WriteFile(path, content, 0o700); err != nil {
				t.Fatal(err)
			}
			digest := sha256.Sum256(content)
			s, err := sandbox.New(sandbox.Config{Mode: sandbox.BestEffort, Support: support})
			if err != nil {
				t.Fatal(err)
			}
			p := sandbox.Program{Name: "program", Path: path, Digest: hex.EncodeToString(digest[:]), Dir: shortFolder(t)}
			cmd, err := s.Command(p)
			if err != nil {
				t.Fatal(err)
			}
			cmd.Env = []string{programVariable + "=hold"}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Wait() }()
			defer func() { _ = cmd.Process.Kill() }()
			if _, err := out.Read(make([]byte, 16)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("something else"), 0o700); err != nil {
				t.Fatalf("the file is in use: %v", err)
			}
			running, err := os.Open(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = running.Close() }()
			seals, err := unix.FcntlInt(running.Fd(), unix.F_GET_SEALS, 0)
			if want := unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL; err != nil || seals&want != want {
				t.Errorf("the seals are %b, %v", seals, err)
			}
			sum := sha256.New()
			if _, err := io.Copy(sum, running); err != nil || !slices.Equal(sum.Sum(nil), digest[:]) {
				t.Errorf("the program that runs is another one (%v)", err)
			}

			again, err := s.Command(p)
			if err == nil {
				t.Fatalf("Command for something else = %v", again)
			}
			if err := os.WriteFile(path, append(content, 'x'), 0o700); err != nil {
				t.Fatal(err)
			}
			if again, err := s.Command(p); err == nil || !strings.Contains(err.Error(), "has changed") {
				t.Errorf("Command for a changed file = %v, %v", again, err)
			}
		})
	}
}

// TestDaemonsDeath kills a daemon and waits for its program to go.
func TestDaemonsDeath(t *testing.T) {
	for name := range tiers(t) {
		for _, root := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, root %t", name, root), func(t *testing.T) {
				if root && os.Geteuid() != 0 || !root && name == "no user namespace" {
					t.Skip("only for root")
				}
				cmd := daemon(t, "hold "+name, root)
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = cmd.Wait() }()
				line, _ := bufio.NewReader(out).ReadString('\n')
				pid, err := strconv.Atoi(strings.TrimSpace(line))
				if err != nil {
					_ = cmd.Process.Kill()
					t.Fatalf("the daemon said %q", line)
				}
				program, err := unix.PidfdOpen(pid, 0)
				if err != nil {
					_ = cmd.Process.Kill()
					t.Fatal(err)
				}
				defer func() { _ = unix.Close(program) }()
				if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				if !endsWithin(program, 5*time.Second) {
					_ = unix.PidfdSendSignal(program, unix.SIGKILL, nil, 0)
					t.Error("the program outlived its daemon")
				}
			})
		}
	}
}

// endsWithin waits for the end of the process of a pidfd.
func endsWithin(pidfd int, limit time.Duration) bool {
	end := time.Now().Add(limit)
	for time.Now().Before(end) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(time.Until(end).Milliseconds())+1)
		if err == nil && n == 1 {
			return true
		}
	}
	return false
}

// TestFailureIsExplained has the trampoline fail.
func TestFailureIsExplained(t *testing.T) {
	for name, support := range tiers(t) {
		r, err := prepare(support, sandbox.Config{}, programPath(t), filepath.Join(t.TempDir(), "none"), "open")
		if err != nil {
			t.Fatal(err)
		}
		_ = r.finish(t.Context())
		said := r.stderr.String()
		if code := r.ProcessState.ExitCode(); code != sandbox.FailedStatus || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "restante: error: the sandbox can't be set up: ") {
			t.Errorf("%s: status %d, %q", name, code, said)
		}
	}
}
