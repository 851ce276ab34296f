package sandbox_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/restante/restante/host/formatter/sandbox"
)

// readings are what a program reads from its clocks, in seconds.
type readings struct {
	Walls     map[string]float64
	Monotonic float64
}

// readClocks is the program's side in Go.
func readClocks() (r readings) {
	r.Walls = map[string]float64{"time.Now": float64(time.Now().UnixMilli()) / 1000}
	var t unix.Time_t
	seconds, _, _ := unix.RawSyscall(unix.SYS_TIME, uintptr(unsafe.Pointer(&t)), 0, 0)
	r.Walls["time"], r.Walls["time, stored"] = float64(seconds), float64(t)
	var v unix.Timeval
	_ = unix.Gettimeofday(&v)
	r.Walls["gettimeofday"] = float64(v.Nano()) / 1e9
	var s unix.Timespec
	for name, clock := range map[string]int32{"clock_gettime": unix.CLOCK_REALTIME, "clock_gettime, coarse": unix.CLOCK_REALTIME_COARSE} {
		_ = unix.ClockGettime(clock, &s)
		r.Walls[name] = float64(s.Nano()) / 1e9
	}
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &s)
	r.Monotonic = float64(s.Nano()) / 1e9
	return r
}

func monotonic() float64 {
	var s unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &s)
	return float64(s.Nano()) / 1e9
}

// clocked starts a program that sees a moved clock. The caller's goroutine must
// keep its thread.
func clocked(t *testing.T, config sandbox.Config, path, task string, c *sandbox.Clock) *run {
	t.Helper()
	s, err := sandbox.New(config)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{dir: shortFolder(t)}
	if r.Cmd, err = s.Command(sandbox.Program{Name: "program", Path: path, Dir: r.dir, Clock: c}); err != nil {
		t.Fatal(err)
	}
	r.Env = []string{programVariable + "=" + task, "TMPDIR=" + r.dir, "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/"}
	r.Cmd.Dir, r.Stdout, r.Stderr, r.WaitDelay = "/", &r.stdout, &r.stderr, time.Second
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.ExtraFiles {
		_ = f.Close()
	}
	if err := c.Started(r.Cmd); err != nil {
		_ = r.Process.Kill()
		_ = r.Wait()
		t.Fatal(err)
	}
	return r
}

// modes are the tiers, and no sandbox at all.
func modes(t *testing.T) map[string]sandbox.Config {
	all := map[string]sandbox.Config{"off": {Mode: sandbox.Off}}
	for name, support := range tiers(t) {
		all[name] = sandbox.Config{Mode: sandbox.BestEffort, Support: support}
	}
	return all
}

func needClock(t *testing.T) {
	t.Helper()
	if err := sandbox.ProbeClock(t.Context()); errors.Is(err, sandbox.ErrNoClock) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// TestMovedClock has programs in three languages read their clocks.
func TestMovedClock(t *testing.T) {
	const shift = 40 * 24 * time.Hour
	folder := t.TempDir()
	python, node := filepath.Join(folder, "python"), filepath.Join(folder, "node")
	for path, text := range map[string]string{
		python: `#!/usr/bin/env python3
import ctypes, datetime, json, threading, time
walls = {"time.time": time.time(), "clock_gettime": time.clock_gettime(time.CLOCK_REALTIME),
         "time": ctypes.CDLL(None).time(None), "datetime": datetime.datetime.now().timestamp()}
def other(): walls["another thread"] = time.time()
t = threading.Thread(target=other); t.start(); t.join()
time.sleep(0.01)
print(json.dumps({"Walls": walls, "Monotonic": time.monotonic()}))
`,
		node: `#!/usr/bin/env node
setTimeout(() => console.log(JSON.stringify({Walls: {"Date.now": Date.now() / 1000, "new Date": new Date().getTime() / 1000},
	Monotonic: Number(process.hrtime.bigint()) / 1e9})), 10);
`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, config := range modes(t) {
		for _, program := range []struct{ name, path string }{{"go", programPath(t)}, {"python3", python}, {"node", node}} {
			t.Run(program.name+", "+name, func(t *testing.T) {
				needClock(t)
				if program.name != "go" && !installed(program.name) {
					t.Skip("not installed")
				}
				from, passed := time.Now(), monotonic()
				c := sandbox.MovedClock(shift)
				r := clocked(t, config, program.path, "clocks", c)
				err := r.Wait()
				c.Wait()
				var got readings
				if fault := json.Unmarshal(r.stdout.Bytes(), &got); err != nil || fault != nil {
					t.Fatalf("%v, %v: %s%s", err, fault, r.stdout.String(), r.stderr.String())
				}
				// Some clocks have only whole seconds, or those of the last tick.
				first := float64(from.Add(shift).UnixMilli())/1000 - 1.1
				last := float64(time.Now().Add(shift).UnixMilli())/1000 + 0.1
				for name, wall := range got.Walls {
					if wall < first || wall > last {
						t.Errorf("%s is %.3f, want %.3f to %.3f", name, wall, first, last)
					}
				}
				if len(got.Walls) < 2 || got.Monotonic < passed || got.Monotonic > monotonic() {
					t.Errorf("the monotonic clock is %.3f, want %.3f to %.3f; walls %v", got.Monotonic, passed, monotonic(), got.Walls)
				}
			})
		}
	}
}

// TestClockLeavesNothing counts files before and after programs that end by
// themselves, that are killed, and that never start.
func TestClockLeavesNothing(t *testing.T) {
	needClock(t)
	before := openDescriptors(t)
	for _, task := range []string{"open", "hold"} {
		for _, config := range modes(t) {
			c := sandbox.MovedClock(time.Hour)
			r := clocked(t, config, programPath(t), task, c)
			if task == "hold" {
				_ = r.Process.Kill()
			}
			_ = r.Wait()
			c.Wait()
		}
	}
	s, err := sandbox.New(sandbox.Config{Mode: sandbox.Off})
	if err != nil {
		t.Fatal(err)
	}
	c := sandbox.MovedClock(time.Hour)
	cmd, err := s.Command(sandbox.Program{Name: "program", Path: programPath(t), Dir: filepath.Join(t.TempDir(), "none"), Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Command(sandbox.Program{Name: "program", Path: programPath(t), Dir: t.TempDir(), Clock: c}); err == nil {
		t.Error("Command with a clock that was used: no error")
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range cmd.ExtraFiles {
		_ = f.Close()
	}
	if err := c.Started(cmd); err != nil {
		t.Errorf("Started of a trampoline that fails = %v", err)
	}
	_ = cmd.Wait()
	c.Wait()
	if code := cmd.ProcessState.ExitCode(); code != sandbox.FailedStatus {
		t.Errorf("the trampoline ended with status %d", code)
	}
	if after := openDescriptors(t); after > before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}
