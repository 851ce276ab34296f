//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/restante/restante/host/formatter/sandbox"
)

// The test binary is also the program that is shut in, and the daemon that
// shuts it in where that must be another process.
const (
	programVariable = "RESTANTE_TEST_PROGRAM" // what the program does
	daemonVariable  = "RESTANTE_TEST_DAEMON"  // what the daemon does
)

func TestMain(m *testing.M) {
	if task := os.Getenv(programVariable); task != "" {
		beProgram(task)
		return
	}
	if task := os.Getenv(daemonVariable); task != "" {
		if err := beDaemon(task); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(binaryFolder())
		os.Exit(status)
	}))
}

// binaryFolder is where this process keeps the binary; every user can read it.
func binaryFolder() string { return fmt.Sprintf("/tmp/restante-sandbox-%d", os.Getpid()) }

// binary is this test binary, built without cgo, so that it needs no files of
// the system, and without the race detector, whose memory no limit would hold.
var binary = sync.OnceValues(func() (string, error) {
	folder := binaryFolder()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "program")
	if plain() {
		self, err := os.ReadFile("/proc/self/exe")
		return path, errors.Join(err, os.WriteFile(path, self, 0o755), os.Chmod(folder, 0o755))
	}
	build := exec.Command("go", "test", "-c", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, errors.Join(os.Chmod(folder, 0o755), os.Chmod(path, 0o755))
})

// plain tells whether this process was built that way already.
func plain() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "0"}) &&
		!slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func programPath(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// probe returns what the system gives, at least these layers.
func probe(t testing.TB, layers ...sandbox.LayerName) sandbox.Support {
	t.Helper()
	s, err := sandbox.Probe(t.Context())
	if err != nil {
		t.Fatalf("Probe: %v", err)
	}
	for _, l := range s.Layers() {
		for _, needed := range layers {
			if l.Name == needed && !l.OK {
				t.Skipf("no %s here: %s", l.Name, l.Reason)
			}
		}
	}
	return s
}

// tiers returns the support with everything that there is, that without
// namespaces, and for root that without a user namespace.
func tiers(t testing.TB) map[string]sandbox.Support {
	s := probe(t, sandbox.FileRules, sandbox.CallFilter, sandbox.ResourceLimits)
	all := map[string]sandbox.Support{
		"all layers":    s,
		"no namespaces": s.Without(sandbox.Namespaces, "withheld", ""),
	}
	if os.Geteuid() == 0 && s.Has(sandbox.Namespaces) {
		all["no user namespace"] = s.WithoutUserNamespace()
	}
	return all
}

// run is one start of a program.
type run struct {
	*exec.Cmd
	dir            string
	stdout, stderr bytes.Buffer
}

// prepare makes a command for a program at a task.
func prepare(support sandbox.Support, config sandbox.Config, path, dir, task string) (*run, error) {
	config.Support = support
	if config.Mode == "" {
		config.Mode = sandbox.BestEffort
	}
	s, err := sandbox.New(config)
	if err != nil {
		return nil, err
	}
	cmd, err := s.Command(sandbox.Program{Name: "program", Path: path, Dir: dir})
	if err != nil {
		return nil, err
	}
	r := &run{Cmd: cmd, dir: dir}
	cmd.Env = []string{programVariable + "=" + task, "TMPDIR=" + dir}
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = "/", &r.stdout, &r.stderr, time.Second
	return r, nil
}

// begin prepares a program in a folder of its own.
func begin(t testing.TB, support sandbox.Support, path, task string) *run {
	t.Helper()
	r, err := prepare(support, sandbox.Config{}, path, shortFolder(t), task)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// finish runs the program to its end, which must come within ten seconds.
func (r *run) finish(ctx context.Context) error {
	// The program dies with the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := r.Start(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = r.Process.Kill() })()
	return r.Wait()
}

// shortFolder returns a private folder whose path leaves room for a socket.
func shortFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "rs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// daemon runs this binary as a daemon at a task, as root or as nobody.
func daemon(t testing.TB, task string, root bool) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), programPath(t))
	cmd.Env = []string{daemonVariable + "=" + task, "TMPDIR=/tmp", "PATH=/usr/bin:/bin"}
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	if !root && os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return cmd
}

// beDaemon does a task of daemon.
func beDaemon(task string) error {
	name, argument, _ := strings.Cut(task, " ")
	switch name {
	case "escapes":
		answers, err := tryEscapes(argument)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(answers)
	case "hold":
		return holdProgram(argument)
	case "probe-withheld":
		return probeWithheld()
	}
	return fmt.Errorf("no task %q", task)
}
