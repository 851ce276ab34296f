//go:build amd64 || arm64

package sandbox

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Main returns at once unless this process is the trampoline of a command made
// by Sandbox; then it never returns. It must be the first call in the main
// function, before anything starts goroutines or opens files.
func Main() {
	if !isTrampoline(os.Args) {
		return
	}
	// All that follows is about this thread, which becomes the program.
	runtime.LockOSThread()
	var o orders
	if err := json.Unmarshal([]byte(os.Args[1]), &o); err != nil {
		giveUp("read the orders", err)
	}
	step, err := shutIn(o)
	giveUp(step, err)
}

const giveUpPrefix = "restante: error: the sandbox can't be set up: "

// giveUp says on one line of standard error what went wrong. Nothing is run.
func giveUp(step string, err error) {
	fmt.Fprintf(os.Stderr, "%s%s: %v\n", giveUpPrefix, step, err)
	os.Exit(FailedStatus)
}

// shutIn gives up one thing after the other and becomes the program. It returns
// only if that fails, with the step that failed. The order matters: each step
// takes away what those before it need.
func shutIn(o orders) (step string, err error) {
	host, err := openHost(o.Host)
	if err != nil {
		return "look at the daemon", err
	}
	program, err := load(o)
	if err != nil {
		return "read the program", err
	}
	if _, err := os.Stat(o.Dir); err != nil {
		return "find the program's folder", err
	}
	nonce, err := newNonce()
	if err != nil {
		return "make a nonce", err
	}
	filter, err := callFilter(uint32(os.Getpid()), nonce)
	if err != nil {
		return "build the system call filter", err
	}
	if o.User != 0 {
		if err := os.Chown(o.Dir, o.User, o.User); err != nil {
			return "give the program its folder", err
		}
	}
	if o.has(Namespaces) {
		if err := unix.Sethostname([]byte("plugin")); err != nil {
			return "change the host name", err
		}
		if err := newRoot(o, program.script); err != nil {
			return "make an empty root", err
		}
	}
	if err := unix.CloseRange(3, maxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return "close our files", fmt.Errorf("close_range (Linux 5.9): %w", err)
	}
	if err := disarm(o.User); err != nil {
		return "give up privileges", err
	}
	if err := dieWith(host); err != nil {
		return "tie our life to the daemon", err
	}
	if o.has(FileRules) {
		if err := restrictFiles(o); err != nil {
			return "set file rules", err
		}
	}
	command, err := program.exec(o, nonce)
	if err != nil {
		return "prepare the program", err
	}
	if o.has(ResourceLimits) {
		if err := limitResources(o); err != nil {
			return "limit resources", err
		}
	}
	if o.has(CallFilter) {
		if err := filterCalls(filter); err != nil {
			return "filter system calls", err
		}
	}
	if o.Trial {
		os.Exit(trialPassed)
	}
	return "run the program", command.run()
}

const maxInt32 = 1<<31 - 1

func newNonce() (uint64, error) {
	b := make([]byte, 8)
	_, err := rand.Read(b)
	return binary.NativeEndian.Uint64(b), err
}

// openHost opens the daemon's entry in /proc, by which dieWith sees whether it
// still lives. We can't ask for our parent: in a process namespace we have none.
func openHost(pid int) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/%d/stat", pid))
}

// dieWith has the kernel kill us when our parent dies. It was told so before,
// but forgets it when the user changes, so we look whether it happened
// meanwhile.
func dieWith(host *os.File) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if _, err := host.Read(make([]byte, 1)); err != nil {
		return errors.New("it has ended")
	}
	return host.Close()
}

// disarm takes all privileges from this thread for good. If user is not 0, the
// thread becomes that user and group, and only that.
func disarm(user int) error {
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	// These two need a privilege that we may not have; what follows suffices.
	const noRoot, noRootLocked = 1 << 0, 1 << 1
	_ = unix.Prctl(unix.PR_SET_SECUREBITS, noRoot|noRootLocked, 0, 0, 0)
	for capability := uintptr(0); capability < 64; capability++ {
		if unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0) != nil {
			break // the kernel has no more of them, or does not let us
		}
	}
	if user != 0 {
		// Not by the functions of package unix, which change all threads.
		id := uintptr(user)
		if _, _, number := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); number != 0 {
			return fmt.Errorf("leave our groups: %w", number)
		}
		if _, _, number := unix.RawSyscall(unix.SYS_SETRESGID, id, id, id); number != 0 {
			return fmt.Errorf("change the group: %w", number)
		}
		if _, _, number := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); number != 0 {
			return fmt.Errorf("change the user: %w", number)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("refuse new privileges: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if _, _, number := unix.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0); number != 0 {
		return fmt.Errorf("drop capabilities: %w", number)
	}
	return nil
}
