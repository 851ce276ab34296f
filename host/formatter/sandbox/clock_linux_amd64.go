package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The clock is usually read without a system call, from a page that the kernel
// maps into each process (vDSO). A program finds that page by a note that the
// kernel leaves on its stack at exec. We trace the process up to that moment and
// strike the note out. Then the readings are system calls, which a filter hands
// over to us.

// prepare has the process be traced from its first exec on, and returns the end
// of the socket over which the trampoline hands over the clock.
func (c *Clock) prepare(attributes *syscall.SysProcAttr) (*os.File, error) {
	if c.socket != nil {
		return nil, errors.New("move the clock: it was used before")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("move the clock: %w", err)
	}
	c.socket = os.NewFile(uintptr(pair[0]), "clock")
	attributes.Ptrace = true
	return os.NewFile(uintptr(pair[1]), "clock"), nil
}

// handOverClock has the kernel ask us for the time in place of the program. The
// message to us carries one file, which is where the kernel asks.
func (s *steps) handOverClock(socket int) error {
	raw, err := clockFilter()
	if err != nil {
		return err
	}
	s.begin("move the clock")
	listener := s.installFilter(s.rules(raw), len(raw), unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	// struct cmsghdr and msghdr (socket.h), both with gaps.
	control := s.data([]uint64{unix.SizeofCmsghdr + 4, unix.SOL_SOCKET | unix.SCM_RIGHTS<<32, 0})
	s.keep(listener, control+unix.SizeofCmsghdr)
	content := s.data([]uint64{s.text("c"), 1})
	message := s.data([]uint64{0, 0, content, 1, control, 24, 0})
	s.call(unix.SYS_SENDMSG, uint64(socket), message, 0)
	return nil
}

// clockFilter hands readings of the time of day over.
func clockFilter() ([]bpf.RawInstruction, error) {
	const answerAsk = 0x7fc00000
	ask := answer(answerAsk)
	return bpf.Assemble([]bpf.Instruction{
		loadArch(), unlessEqual(auditArch, 1), bpf.Jump{Skip: 1}, answer(answerKill),
		loadCall(),
		unlessEqual(unix.SYS_GETTIMEOFDAY, 1), ask,
		unlessEqual(unix.SYS_TIME, 1), ask,
		unlessEqual(unix.SYS_CLOCK_GETTIME, 5),
		loadArgument(0), unlessEqual(unix.CLOCK_REALTIME, 1), ask, unlessEqual(unix.CLOCK_REALTIME_COARSE, 1), ask,
		answer(answerAllow),
	})
}

func (c *Clock) started(cmd *exec.Cmd) error {
	if c.socket == nil || cmd.Process == nil {
		return errors.New("sandbox: the clock is not that of a command that was started")
	}
	begun, err := withoutPage(cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("%w: trace the program: %w", ErrNoClock, err)
	}
	if !begun {
		return nil
	}
	questions, err := receiveFile(c.socket)
	if err != nil {
		return fmt.Errorf("take over the clock: %w", err)
	}
	c.served.Go(func() {
		c.serve(questions)
		_ = unix.Close(questions)
	})
	if err := unix.PtraceDetach(cmd.Process.Pid); err != nil {
		return fmt.Errorf("%w: let go of the program: %w", ErrNoClock, err)
	}
	return nil
}

// withoutPage follows a process to the exec by which the trampoline becomes the
// program, and leaves it standing there, the page struck out. It returns false
// if the process ends before.
func withoutPage(pid int) (begun bool, err error) {
	stop, err := nextStop(pid)
	if err != nil || stop == 0 {
		return false, err
	}
	// The first stop is the exec of the trampoline.
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXEC|unix.PTRACE_O_EXITKILL); err != nil {
		return false, err
	}
	for signal := 0; ; {
		if err := unix.PtraceCont(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return false, err // else it was killed
		}
		stop, err := nextStop(pid)
		switch {
		case err != nil || stop == 0:
			return false, err
		case stop.TrapCause() == unix.PTRACE_EVENT_EXEC:
			return true, strikePage(pid)
		}
		signal = int(stop.StopSignal())
	}
}

// nextStop waits until a traced process stops, and returns 0 if it has ended.
// That it has is left for others to take notice of.
func nextStop(pid int) (unix.WaitStatus, error) {
	var info unix.Siginfo
	if err := restarted(func() error { return unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT, nil) }); err != nil {
		return 0, err
	}
	const trapped, stopped = 4, 5 // CLD_TRAPPED, CLD_STOPPED
	if info.Code != trapped && info.Code != stopped {
		return 0, nil
	}
	var status unix.WaitStatus
	err := restarted(func() error {
		_, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil)
		return err
	})
	if err == nil && !status.Stopped() {
		return 0, errors.New("it was killed")
	}
	return status, err
}

func restarted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// strikePage strikes out what a program that has not begun to run was told of
// the page. The stack holds the number of arguments, the arguments, a nil, the
// environment, a nil, and pairs of a key and a value.
func strikePage(pid int) error {
	const noteOfPage, noteOfNothing, last = 33, 1, 0 // AT_SYSINFO_EHDR, AT_IGNORE, AT_NULL
	var registers unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &registers); err != nil {
		return err
	}
	var fault error
	word := func(address uint64) uint64 {
		var b [8]byte
		if _, err := unix.PtracePeekData(pid, uintptr(address), b[:]); err != nil {
			fault = err
			return 0
		}
		return binary.LittleEndian.Uint64(b[:])
	}
	at := registers.Rsp + 8*(word(registers.Rsp)+2)
	for word(at) != 0 {
		at += 8
	}
	for at += 8; fault == nil; at += 16 {
		switch word(at) {
		case last:
			return fault // the system has no such page
		case noteOfPage:
			_, err := unix.PtracePokeData(pid, uintptr(at), binary.LittleEndian.AppendUint64(nil, noteOfNothing))
			return err
		}
	}
	return fault
}

// receiveFile takes the file that was sent over a socket.
func receiveFile(socket *os.File) (int, error) {
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(socket.Fd()), make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return 0, errors.Join(err, errors.New("nothing came"))
	}
	files, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(files) != 1 {
		return 0, errors.Join(err, errors.New("nothing came"))
	}
	return files[0], nil
}

// question and reply are what the kernel asks and is told (linux/seccomp.h).
type question struct {
	id        uint64
	thread    uint32
	flags     uint32
	call      int32
	arch      uint32
	_         uint64
	arguments [6]uint64
}

type reply struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

// serve answers until the program has ended.
func (c *Clock) serve(questions int) {
	const receive, send = 0xc0502100, 0xc0182101 // SECCOMP_IOCTL_NOTIF_RECV, _SEND
	for {
		// Older kernels don't end the receiving when the program ends.
		events := []unix.PollFd{{Fd: int32(questions), Events: unix.POLLIN}}
		err := restarted(func() error { _, err := unix.Poll(events, -1); return err })
		if err != nil || events[0].Revents&unix.POLLIN == 0 {
			return
		}
		var q question
		switch err := control(questions, receive, unsafe.Pointer(&q)); {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOENT): // the thread that asked is gone
			continue
		case err != nil:
			return
		}
		r := c.answer(questions, q)
		_ = control(questions, send, unsafe.Pointer(&r)) // fails if the thread is gone
	}
}

func control(file int, command uintptr, argument unsafe.Pointer) error {
	if _, _, number := unix.Syscall(unix.SYS_IOCTL, uintptr(file), command, uintptr(argument)); number != 0 {
		return number
	}
	return nil
}

// answer does what the call would have done.
func (c *Clock) answer(questions int, q question) reply {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		return reply{id: q.id, err: -int32(unix.EINVAL)}
	}
	now = unix.NsecToTimespec(now.Nano() + int64(c.shift))
	r := reply{id: q.id}
	address, words := q.arguments[0], []int64{now.Sec, now.Nsec}
	switch q.call {
	case unix.SYS_CLOCK_GETTIME:
		address = q.arguments[1]
	case unix.SYS_GETTIMEOFDAY:
		words[1] /= 1000
	case unix.SYS_TIME:
		words, r.value = words[:1], now.Sec
	}
	if address == 0 && q.call != unix.SYS_CLOCK_GETTIME {
		return r
	}
	var b []byte
	for _, word := range words {
		b = binary.LittleEndian.AppendUint64(b, uint64(word))
	}
	// While the question stands, its thread is the one that asked.
	const valid = 0x40082102 // SECCOMP_IOCTL_NOTIF_ID_VALID
	if control(questions, valid, unsafe.Pointer(&q.id)) != nil {
		return r
	}
	local := []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}
	remote := []unix.RemoteIovec{{Base: uintptr(address), Len: len(b)}}
	if n, err := unix.ProcessVMWritev(int(q.thread), local, remote, 0); err != nil || n != len(b) {
		return reply{id: q.id, err: -int32(unix.EFAULT)}
	}
	return r
}

// ProbeClock finds out whether a program's clock can be moved, by moving that of
// the trampoline of a trial. If not, it returns an ErrNoClock with the reason.
func ProbeClock(ctx context.Context) error {
	c := MovedClock(0)
	defer c.Wait()
	fault, err := tryWith(ctx, orders{Name: "trial", Path: "/trial", clock: c, Trial: true}, false, false, c.Started)
	switch {
	case err != nil:
		return err
	case fault != nil:
		return fmt.Errorf("%w: %w", ErrNoClock, fault)
	}
	return nil
}
