//go:build amd64 || arm64

package sandbox

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestCallFilter runs the filter on calls, also of other processors, which not
// every computer can make.
func TestCallFilter(t *testing.T) {
	const pid, nonce = 4711, 0x0123456789abcdef
	raw, err := callFilter(pid, nonce)
	if err != nil {
		t.Fatal(err)
	}
	instructions, complete := bpf.Disassemble(raw)
	vm, err := bpf.NewVM(instructions)
	if !complete || err != nil {
		t.Fatal(err)
	}
	t.Logf("%d instructions", len(raw))
	denied := func(number unix.Errno) uint32 { return answerErrno | uint32(number) }
	for _, test := range []struct {
		name      string
		arch      uint32
		call      uint32
		arguments []uint64
		want      uint32
	}{
		{"read", auditArch, unix.SYS_READ, nil, answerAllow},
		{"futex", auditArch, unix.SYS_FUTEX, nil, answerAllow},
		{"a call of i386", unix.AUDIT_ARCH_I386, 3, nil, answerKill},
		{"a call of arm", unix.AUDIT_ARCH_ARM, 3, nil, answerKill},
		{"a call of x32", auditArch, 0x40000000 + unix.SYS_READ, nil, answerKill},
		{"the highest number", auditArch, 0xffffffff, nil, answerKill},
		{"the newest known call", auditArch, newestCall, nil, answerAllow},
		{"a call that is too new", auditArch, newestCall + 1, nil, denied(unix.ENOSYS)},
		{"connect", auditArch, unix.SYS_CONNECT, nil, denied(unix.EPERM)},
		{"execve", auditArch, unix.SYS_EXECVE, nil, denied(unix.EPERM)},
		{"execve with the nonce", auditArch, unix.SYS_EXECVE, []uint64{0, 0, 0, 0, 0, nonce}, denied(unix.EPERM)},
		{"execveat with the nonce", auditArch, unix.SYS_EXECVEAT, []uint64{0, 0, 0, 0, 0, nonce}, answerAllow},
		{"execveat without", auditArch, unix.SYS_EXECVEAT, nil, denied(unix.EPERM)},
		{"execveat with the lower half", auditArch, unix.SYS_EXECVEAT, []uint64{0, 0, 0, 0, 0, nonce & 0xffffffff}, denied(unix.EPERM)},
		{"execveat with the upper half", auditArch, unix.SYS_EXECVEAT, []uint64{0, 0, 0, 0, 0, nonce >> 32 << 32}, denied(unix.EPERM)},
		{"a thread", auditArch, unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_THREAD}, answerAllow},
		{"a fork", auditArch, unix.SYS_CLONE, []uint64{uint64(unix.SIGCHLD)}, denied(unix.EPERM)},
		{"a vfork", auditArch, unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_VFORK}, denied(unix.EPERM)},
		{"a thread in a namespace", auditArch, unix.SYS_CLONE, []uint64{unix.CLONE_THREAD | unix.CLONE_NEWNET}, denied(unix.EPERM)},
		{"clone3", auditArch, unix.SYS_CLONE3, nil, denied(unix.ENOSYS)},
		{"a unix socket", auditArch, unix.SYS_SOCKET, []uint64{unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK}, answerAllow},
		{"a unix datagram socket", auditArch, unix.SYS_SOCKET, []uint64{unix.AF_UNIX, unix.SOCK_DGRAM}, denied(unix.EACCES)},
		{"a unix packet socket", auditArch, unix.SYS_SOCKET, []uint64{unix.AF_UNIX, unix.SOCK_SEQPACKET}, denied(unix.EACCES)},
		{"a TCP socket", auditArch, unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_STREAM}, denied(unix.EACCES)},
		{"a pair of sockets", auditArch, unix.SYS_SOCKETPAIR, []uint64{unix.AF_UNIX, unix.SOCK_STREAM}, answerAllow},
		{"a signal to itself", auditArch, unix.SYS_TGKILL, []uint64{pid, pid + 1}, answerAllow},
		{"a signal to another", auditArch, unix.SYS_TGKILL, []uint64{pid + 1}, denied(unix.EPERM)},
		{"a signal to all", auditArch, unix.SYS_KILL, []uint64{1<<64 - 1}, denied(unix.EPERM)},
		{"a signal to the group", auditArch, unix.SYS_KILL, []uint64{0}, denied(unix.EPERM)},
		{"its own limits", auditArch, unix.SYS_PRLIMIT64, []uint64{0}, answerAllow},
		{"another's limits", auditArch, unix.SYS_PRLIMIT64, []uint64{1}, denied(unix.EPERM)},
		{"naming a thread", auditArch, unix.SYS_PRCTL, []uint64{unix.PR_SET_NAME}, answerAllow},
		{"its death signal", auditArch, unix.SYS_PRCTL, []uint64{unix.PR_SET_PDEATHSIG}, denied(unix.EPERM)},
		{"a file's flags", auditArch, unix.SYS_FCNTL, []uint64{3, unix.F_SETFL}, answerAllow},
		{"a file's owner", auditArch, unix.SYS_FCNTL, []uint64{3, unix.F_SETOWN}, denied(unix.EPERM)},
		{"asking for a terminal", auditArch, unix.SYS_IOCTL, []uint64{0, unix.TCGETS}, answerAllow},
		{"close-on-exec", auditArch, unix.SYS_IOCTL, []uint64{0, fioClex}, answerAllow},
		{"no close-on-exec", auditArch, unix.SYS_IOCTL, []uint64{0, fioNClex}, answerAllow},
		{"typing", auditArch, unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI}, denied(unix.ENOTTY)},
		{"typing, with upper bits set", auditArch, unix.SYS_IOCTL, []uint64{0, 1<<32 | unix.TIOCSTI}, denied(unix.ENOTTY)},
		{"memory", auditArch, unix.SYS_MMAP, []uint64{0, 1, 2, unix.MAP_PRIVATE | unix.MAP_ANON}, answerAllow},
		{"a shared file", auditArch, unix.SYS_MMAP, []uint64{0, 1, 2, unix.MAP_SHARED}, answerAllow},
		{"shared memory", auditArch, unix.SYS_MMAP, []uint64{0, 1, 2, unix.MAP_SHARED | unix.MAP_ANON}, denied(unix.EPERM)},
		{"validated shared memory", auditArch, unix.SYS_MMAP, []uint64{0, 1, 2, unix.MAP_SHARED_VALIDATE | unix.MAP_ANON}, denied(unix.EPERM)},
		{"a growing stack", auditArch, unix.SYS_MMAP, []uint64{0, 1, 2, unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_GROWSDOWN}, denied(unix.EPERM)},
		{"space on the disk", auditArch, unix.SYS_FALLOCATE, nil, denied(unix.EOPNOTSUPP)},
	} {
		// The machine reads big-endian words, the kernel its own.
		data := make([]byte, 64)
		binary.BigEndian.PutUint32(data, test.call)
		binary.BigEndian.PutUint32(data[4:], test.arch)
		for i, a := range test.arguments {
			binary.BigEndian.PutUint32(data[16+8*i:], uint32(a))
			binary.BigEndian.PutUint32(data[20+8*i:], uint32(a>>32))
		}
		got, err := vm.Run(data)
		if err != nil || uint32(got) != test.want {
			t.Errorf("%s: the filter answers %s, %v, want %s", test.name, answerText(uint32(got)), err, answerText(test.want))
		}
	}
}

func answerText(value uint32) string { return fmt.Sprintf("%#x", value) }
