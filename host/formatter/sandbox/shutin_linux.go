//go:build amd64 || arm64

package sandbox

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const giveUpPrefix = "restante: error: the sandbox can't be set up: "

const (
	here     = 1<<64 + unix.AT_FDCWD // the folder that paths are relative to
	maxInt32 = 1<<31 - 1
)

// trampoline makes the program that gives up one thing after the other and
// becomes the plugin. The order matters: each step takes away what those before
// it need. The sealed copy, or else the script, is what is run.
func (o orders) trampoline(p program, sealedFile int) (*os.File, error) {
	s := &steps{}
	// The daemon's entry in /proc tells whether it still lives. We can't ask for
	// our parent: in a process namespace we have none.
	s.begin("look at the daemon")
	host := s.open(fmt.Sprintf("/proc/%d/stat", o.Host), unix.O_RDONLY)
	s.begin("find the program's folder")
	s.open(o.Dir, unix.O_PATH|unix.O_DIRECTORY)
	if o.User != 0 {
		s.begin("give the program its folder")
		s.call(unix.SYS_FCHOWNAT, here, s.text(o.Dir), uint64(o.User), uint64(o.User), 0)
	}
	if o.has(Namespaces) {
		s.begin("change the host name")
		const name = "plugin"
		s.call(unix.SYS_SETHOSTNAME, s.text(name), uint64(len(name)))
		if err := s.newRoot(o, p.script); err != nil {
			return nil, fmt.Errorf("make an empty root: %w", err)
		}
	}
	s.begin("close our files (close_range, Linux 5.9)")
	s.call(unix.SYS_CLOSE_RANGE, 3, maxInt32, unix.CLOSE_RANGE_CLOEXEC)
	s.disarm(o.User)

	// The kernel was told before to kill us when our parent dies, but forgets it
	// when the user changes, so we look whether it happened meanwhile.
	s.begin("tie our life to the daemon")
	s.call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL))
	read := s.call(unix.SYS_READ, 0, s.bytes(make([]byte, 8)), 1)
	s.store(host, read, 0)
	s.entries[read].least = 1

	if o.has(FileRules) {
		if err := s.restrictFiles(o); err != nil {
			return nil, fmt.Errorf("set file rules: %w", err)
		}
	}
	if o.has(ResourceLimits) {
		if err := s.limitResources(o); err != nil {
			return nil, fmt.Errorf("limit resources: %w", err)
		}
	}
	if o.clock != nil {
		if err := s.handOverClock(o.clockFile); err != nil {
			return nil, fmt.Errorf("move the clock: %w", err)
		}
	}
	nonce, err := newNonce()
	if err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	if o.has(CallFilter) {
		if err := s.filterCalls(o, nonce); err != nil {
			return nil, fmt.Errorf("build the system call filter: %w", err)
		}
	}
	if o.Trial {
		s.begin("end the trial")
		return s.file(s.call(unix.SYS_EXIT_GROUP, trialPassed), 3)
	}
	s.begin("run the program")
	var run int
	if p.sealed != nil {
		run = s.call(unix.SYS_EXECVEAT, uint64(sealedFile), s.text(""), s.texts([]string{o.Name}), 0, unix.AT_EMPTY_PATH, nonce)
	} else {
		run = s.call(unix.SYS_EXECVEAT, here, s.text(o.Interpreter[0]), s.texts(append(o.Interpreter, o.Path)), 0, 0, nonce)
	}
	return s.file(run, 3)
}

// open opens a file and returns the place of the call. A file that is not
// written to need not be closed: it does not reach the program.
func (s *steps) open(path string, flags uint64) int {
	return s.call(unix.SYS_OPENAT, here, s.text(path), flags|unix.O_CLOEXEC, 0o444)
}

func newNonce() (uint64, error) {
	b := make([]byte, 8)
	_, err := rand.Read(b)
	return binary.NativeEndian.Uint64(b), err
}

// disarm gives up all privileges for good. If user is not 0, the process becomes
// that user and group, and only that.
func (s *steps) disarm(user int) {
	s.begin("give up privileges")
	// These need a privilege that we may not have; what follows suffices.
	s.call(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL)
	s.tolerate(anyFault)
	const noRoot, noRootLocked = 1 << 0, 1 << 1
	s.call(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, noRoot|noRootLocked)
	s.tolerate(anyFault)
	for capability := uint64(0); capability < 64; capability++ {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(capability), 0, 0, 0); err != nil {
			break // the kernel has no more of them
		}
		s.call(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, capability)
		s.tolerate(anyFault)
	}
	if user != 0 {
		id := uint64(user)
		s.begin("leave our groups")
		s.call(unix.SYS_SETGROUPS)
		s.begin("change the group")
		s.call(unix.SYS_SETRESGID, id, id, id)
		s.begin("change the user")
		s.call(unix.SYS_SETRESUID, id, id, id)
	}
	s.begin("refuse new privileges")
	s.call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	s.begin("drop capabilities")
	s.call(unix.SYS_CAPSET, s.data(unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}), s.data([2]unix.CapUserData{}))
}

// filterCalls puts the filter on the process and on what it becomes.
func (s *steps) filterCalls(o orders, nonce uint64) error {
	raw, err := callFilter(1, nonce) // as it is in a process namespace
	if err != nil {
		return err
	}
	s.begin("filter system calls")
	rules := s.rules(raw)
	if !o.has(Namespaces) {
		another, err := callFilter(2, nonce)
		if err != nil {
			return err
		}
		for i := range raw {
			if raw[i] != another[i] { // here is the process id, which nobody knows yet
				s.keep(s.call(unix.SYS_GETPID), rules+uint64(i)*uint64(unsafe.Sizeof(unix.SockFilter{}))+uint64(unsafe.Offsetof(unix.SockFilter{}.K)))
			}
		}
	}
	s.installFilter(rules, len(raw), 0)
	return nil
}

// rules puts a filter into the trampoline and returns its address.
func (s *steps) rules(raw []bpf.RawInstruction) uint64 {
	program := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		program[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return s.data(program)
}

// installFilter puts a filter on the process and returns the place of the call.
// no_new_privs must be set.
func (s *steps) installFilter(rules uint64, length int, flags uint64) int {
	const setModeFilter = 1
	// struct sock_fprog: the length, and after a gap the address.
	return s.call(unix.SYS_SECCOMP, setModeFilter, flags, s.data([]uint64{uint64(length), rules}))
}
