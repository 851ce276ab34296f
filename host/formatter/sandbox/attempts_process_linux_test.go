//go:build amd64 || arm64

package sandbox_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func processAttempts() []attempt {
	return []attempt{
		{name: "start a program", try: func(target) error { return exec.Command("/bin/true").Run() }},
		{name: "fork", try: func(target) error { return forked(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0) }},
		{name: "fork by clone3", needs: "kernel", try: func(target) error {
			arguments := [11]uint64{4: uint64(unix.SIGCHLD)}
			return forked(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&arguments)), unsafe.Sizeof(arguments))
		}},
		{name: "become another program", try: func(target) error {
			self := "/proc/self/exe"
			return syscall.Exec(self, []string{self}, []string{programVariable + "=open"})
		}},
		{name: "write a program and run it", try: func(t target) error {
			path := filepath.Join(t.Dir, "script")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
				return err
			}
			return exec.Command(path).Run()
		}},
		{name: "run a program from memory", try: func(target) error {
			fd, err := unix.MemfdCreate("program", unix.MFD_CLOEXEC)
			if err != nil {
				return err
			}
			self, err := os.ReadFile("/proc/self/exe")
			if err != nil {
				return err
			}
			if _, err := unix.Write(fd, self); err != nil {
				return err
			}
			empty, argv, env := []byte{0}, []*byte{nil}, []*byte{variable(programVariable + "=open"), nil}
			return call(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])), uintptr(unsafe.Pointer(&argv[0])),
				uintptr(unsafe.Pointer(&env[0])), unix.AT_EMPTY_PATH)
		}},
		{name: "trace the daemon", try: func(t target) error {
			if err := unix.PtraceSeize(t.Daemon); err != nil {
				return err
			}
			return unless(unix.PtraceDetach(t.Daemon), unix.ESRCH)
		}},
		{name: "read the daemon's memory", try: func(t target) error {
			b := make([]byte, 8)
			_, err := unix.ProcessVMReadv(t.Daemon, []unix.Iovec{{Base: &b[0], Len: 8}}, []unix.RemoteIovec{{Base: t.Address, Len: 8}}, 0)
			return err
		}},
		{name: "hold on to the daemon by pidfd", try: func(t target) error { return closing(unix.PidfdOpen(t.Daemon, 0)) }},
		{name: "signal the daemon", try: func(t target) error { return unix.Kill(t.Daemon, 0) }},
		{name: "have the kernel signal the daemon", try: func(t target) error {
			_, err := unix.FcntlInt(0, unix.F_SETOWN, t.Daemon)
			return err
		}},
		{name: "change the daemon's limits", try: func(t target) error {
			var l unix.Rlimit
			if err := unix.Prlimit(t.Daemon, unix.RLIMIT_CORE, nil, &l); err != nil {
				return err
			}
			return unix.Prlimit(t.Daemon, unix.RLIMIT_CORE, &l, nil)
		}},
		{name: "change the daemon's priority", try: func(t target) error {
			now, err := unix.Getpriority(unix.PRIO_PROCESS, t.Daemon)
			if err != nil {
				return err
			}
			return unix.Setpriority(unix.PRIO_PROCESS, t.Daemon, 20-now) // the call itself counts from 20 down
		}},
		{name: "leave its process group", try: func(target) error { return unix.Setpgid(0, 0) }},
		{name: "outlive the daemon", try: func(target) error { return unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) }},
		{name: "use a privilege", needs: "root", try: func(target) error {
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var have [2]unix.CapUserData
			if err := unix.Capget(&header, &have[0]); err != nil {
				return err
			}
			if have[0].Effective|have[0].Permitted|have[1].Effective|have[1].Permitted == 0 {
				return unix.EPERM
			}
			return nil
		}},
		{name: "become another user", needs: "root", try: func(target) error { return call(unix.SYS_SETUID, 1) }},
		{name: "make shared memory of System V", needs: "kernel", try: func(target) error {
			id, _, number := syscall.RawSyscall(unix.SYS_SHMGET, unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o600)
			if number != 0 {
				return number
			}
			return call(unix.SYS_SHMCTL, id, unix.IPC_RMID, 0)
		}},
		{name: "make a message queue", needs: "kernel", try: func(target) error {
			name := variable("restante-test")
			if err := call(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_CREAT|unix.O_RDWR, 0o600, 0); err != nil {
				return err
			}
			return call(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)))
		}},
		{name: "use the kernel's keys", needs: "kernel", try: func(target) error {
			_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_PROCESS_KEYRING, true)
			return err
		}},
	}
}

// forked makes a process that ends at once, and waits for it.
func forked(trap, a, b uintptr) error {
	pid, _, number := syscall.RawSyscall6(trap, a, b, 0, 0, 0, 0)
	if number != 0 {
		return number
	}
	if pid == 0 {
		for {
			_, _, _ = syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	_, err := unix.Wait4(int(pid), nil, 0, nil)
	return unless(err, unix.ECHILD)
}

func variable(text string) *byte {
	p, err := unix.BytePtrFromString(text)
	if err != nil {
		panic(errors.New("a zero byte in a text of our own"))
	}
	return p
}
