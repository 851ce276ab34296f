//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/host/formatter/process"
)

// Each test here is named after a way in which go-plugin, used plainly, lets a
// plugin harm its host.

func TestStopOfAStoppedPluginIsBounded(t *testing.T) {
	b := newBench(t)
	b.install("")
	b.config.CallTimeout = 200 * time.Millisecond
	p := b.start()
	if _, _, err := p.WriteMessages(t.Context(), batch(`{"do":"stop"}`)); !errors.Is(err, process.ErrTimeout) {
		t.Fatalf("WriteMessages() = %v, want ErrTimeout", err)
	}
	b.stopWithin(p, b.config.Grace+2*time.Second)
}

func (b *bench) stopWithin(p *process.Process, limit time.Duration) {
	b.Helper()
	begun := time.Now()
	if err := p.Stop(context.Background()); err != nil {
		b.Error(err)
	}
	if took := time.Since(begun); took > limit {
		b.Errorf("Stop took %s, want at most %s", took, limit)
	}
}

func TestAGrandchildThatHoldsThePipes(t *testing.T) {
	b := newBench(t)
	b.install("grandchild:300")
	p := b.start()
	var pid int
	eventually(t, "the grandchild runs", func() bool {
		_, rest, found := strings.Cut(b.log.String(), "grandchild ")
		_, _ = fmt.Sscanf(rest, "%d", &pid)
		return found && pid != 0
	})
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	if _, _, err := p.WriteMessages(t.Context(), batch(`{"do":"exit","n":0}`)); !errors.Is(err, process.ErrEnded) {
		t.Errorf("WriteMessages() = %v, want ErrEnded", err)
	}
	begun := time.Now()
	exit := p.Exit()
	if took := time.Since(begun); took > 10*time.Second || exit.Code != 0 { // it sleeps for 300 s
		t.Errorf("Exit() = %v after %s", exit, took)
	}
	if !alive(pid) {
		t.Error("the grandchild is gone: the test tests nothing")
	}
	b.stopWithin(p, 10*time.Second)
}

func TestKillReachesTheGroup(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.folder, "student")
	script := "#!/bin/sh\n/bin/sleep 300 &\necho $! >&2\nexec /bin/sleep 300\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	b.config.Path, b.config.StartTimeout = path, time.Second
	fault := b.refused()
	var pid int
	if _, err := fmt.Sscan(fault.Output[0], &pid); err != nil {
		t.Fatal(fault.Output)
	}
	eventually(t, "the grandchild is gone, too", func() bool { return !alive(pid) })
}

func TestACrashIsNoticedAtOnce(t *testing.T) {
	b := newBench(t)
	b.install("")
	p := b.start()
	begun := time.Now()
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := p.Exit().String(); !strings.Contains(got, "ended by a signal (killed") {
		t.Errorf("Exit() = %q", got)
	}
}

func TestHangUpIsTheEnd(t *testing.T) {
	b := newBench(t)
	b.install("")
	p := b.start()
	if _, _, err := p.WriteMessages(t.Context(), batch(`{"do":"hangup"}`)); !errors.Is(err, process.ErrEnded) {
		t.Errorf("WriteMessages() = %v, want ErrEnded", err)
	}
	<-p.Done()
	if got := p.Exit().String(); got != "it was killed: it closed its connection to the daemon" {
		t.Errorf("Exit() = %q", got)
	}
}

func TestEnvironmentHoldsNothingOfTheHost(t *testing.T) {
	t.Setenv("RESTANTE_SECRET", "hunter2")
	b := newBench(t)
	b.install("")
	d, _, err := b.start().WriteMessages(t.Context(), batch(`{"do":"environment"}`))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(string(d.Body)), "\n")[1:] {
		name, value, _ := strings.Cut(line, "=")
		if name == "TMPDIR" && !strings.HasPrefix(value, b.sockets) {
			t.Errorf("%s is not its own folder", line)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"HOME", "LANG", "PATH", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS",
		"PLUGIN_UNIX_SOCKET_DIR", "RESTANTE_LOG_LEVEL", "RESTANTE_PLUGIN", "TMPDIR", "TZ"}
	if !slices.Equal(names, want) {
		t.Errorf("environment: %q, want %q", names, want)
	}
}

func TestStdinIsAPipeThatCloses(t *testing.T) {
	b := newBench(t)
	b.install("stdin")
	b.config.Grace = 10 * time.Second
	b.stopWithin(b.start(), 5*time.Second)
}

func TestADeafPluginIsKilled(t *testing.T) {
	b := newBench(t)
	b.install("deaf")
	p := b.start()
	b.stopWithin(p, b.config.Grace+2*time.Second)
	if got := p.Exit().Killed; got == "" {
		t.Errorf("Exit() = %+v", p.Exit())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.config.Grace = time.Minute
	p = b.start()
	begun := time.Now()
	if err := p.Stop(ctx); err != nil || time.Since(begun) > 3*time.Second {
		t.Errorf("Stop() with a context that is over = %v after %s", err, time.Since(begun))
	}
}

func TestManyCrashesLeakNothing(t *testing.T) {
	b := newBench(t)
	b.install("")
	goroutines, files := 0, 0
	for i := range 6 {
		p := b.start()
		_ = syscall.Kill(p.PID(), syscall.SIGKILL)
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		entries, _ := os.ReadDir("/proc/self/fd")
		if i == 0 {
			goroutines, files = runtime.NumGoroutine(), len(entries)
		} else if len(entries) > files+2 || runtime.NumGoroutine() > goroutines+4 {
			t.Errorf("after %d crashes: %d files, %d goroutines; after one: %d, %d", i+1, len(entries), runtime.NumGoroutine(), files, goroutines)
		}
	}
}

func TestHostDeathKillsThePlugin(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills a child with its parent")
	}
	for _, how := range []string{"", "deaf"} {
		t.Run("plugin "+how, func(t *testing.T) {
			b := newBench(t)
			b.install(how)
			folder, err := os.MkdirTemp("/tmp", "rh")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.RemoveAll(folder) }()
			path := filepath.Join(folder, "plugin")
			if err := os.Rename(b.config.Path, path); err != nil {
				t.Fatal(err)
			}
			daemon := exec.Command("/proc/self/exe")
			daemon.Env = append(os.Environ(), hostVariable+"="+path)
			out, err := daemon.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			var pid int
			_, scanErr := fmt.Fscan(out, &pid)
			running := alive(pid)
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
			if scanErr != nil || !running {
				t.Fatalf("the daemon did not start its plugin: %v", scanErr)
			}
			eventually(t, "the plugin is gone", func() bool { return !alive(pid) })

			left, _ := filepath.Glob(folder + "/restante-socket-*")
			if len(left) != 1 {
				t.Errorf("a killed daemon left %q", left)
			}
			if err := process.SweepSockets(folder); err != nil {
				t.Error(err)
			}
			if left, _ := filepath.Glob(folder + "/restante-socket-*"); len(left) != 0 {
				t.Errorf("the sweep left %q", left)
			}
		})
	}
}
