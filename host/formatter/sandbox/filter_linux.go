//go:build amd64 || arm64

package sandbox

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What a filter answers (linux/seccomp.h).
const (
	answerKill  = 0x80000000
	answerErrno = 0x00050000
	answerAllow = 0x7fff0000
)

// Commands of fcntl that have the kernel send signals to another process
// (asm-generic/fcntl.h).
const fSetOwn, fSetSig, fSetOwnEx = 8, 10, 15

// Commands of ioctl for any file (asm-generic/ioctls.h): how much can be read,
// don't wait, close on exec, don't.
const fioNRead, fioNBIO, fioClex, fioNClex = 0x541b, 0x5421, 0x5451, 0x5450

// callFilter builds the filter of system calls. The process may send signals to
// itself alone, whose id is pid. The one exec that is allowed is an execveat
// whose sixth argument, which the kernel does not look at, is the nonce.
//
// Calls are allowed unless they are listed, since the runtimes of three
// languages need some two hundred; but calls that are newer than our list are
// refused.
func callFilter(pid uint32, nonce uint64) ([]bpf.RawInstruction, error) {
	refused := fail(unix.EPERM)
	filter := []bpf.Instruction{
		loadArch(), unlessEqual(auditArch, 1), bpf.Jump{Skip: 1}, answer(answerKill),
		loadCall(),
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: foreignCalls, SkipTrue: 1}, answer(answerKill),
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: newestCall, SkipTrue: 1}, fail(unix.ENOSYS),
	}
	for _, call := range append(refusedCalls(), refusedHere()...) {
		filter = append(filter, unlessEqual(call, 1), refused)
	}
	// A C library falls back to clone, whose flags can be looked at; those of
	// clone3 are in memory.
	filter = append(filter, unlessEqual(unix.SYS_CLONE3, 1), fail(unix.ENOSYS))
	// It takes space on the disk that no limit of a file's size counts.
	filter = append(filter, unlessEqual(unix.SYS_FALLOCATE, 1), fail(unix.EOPNOTSUPP))

	const anyNamespace = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
		unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP
	for _, rule := range []struct {
		call uint32
		body []bpf.Instruction
	}{
		// Threads, but no processes.
		{unix.SYS_CLONE, []bpf.Instruction{
			loadArgument(0),
			bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.CLONE_THREAD, SkipTrue: 1}, refused,
			bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: anyNamespace, SkipTrue: 1}, refused,
		}},
		// Sockets that listen in our folder.
		{unix.SYS_SOCKET, []bpf.Instruction{
			loadArgument(0), mustEqual(unix.AF_UNIX), fail(unix.EACCES),
			loadArgument(1), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf}, mustEqual(unix.SOCK_STREAM), fail(unix.EACCES),
		}},
		{unix.SYS_SOCKETPAIR, []bpf.Instruction{loadArgument(0), mustEqual(unix.AF_UNIX), fail(unix.EACCES)}},
		{unix.SYS_KILL, []bpf.Instruction{loadArgument(0), mustEqual(pid), refused}},
		{unix.SYS_TGKILL, []bpf.Instruction{loadArgument(0), mustEqual(pid), refused}},
		// Others may have the same user, and so their limits be in our hands.
		{unix.SYS_PRLIMIT64, []bpf.Instruction{loadArgument(0), mustEqual(0), refused}},
		{unix.SYS_SCHED_SETAFFINITY, []bpf.Instruction{loadArgument(0), mustEqual(0), refused}},
		// The daemon's death must stay ours.
		{unix.SYS_PRCTL, []bpf.Instruction{
			loadArgument(0),
			unlessEqual(unix.PR_SET_PDEATHSIG, 1), refused,
			unlessEqual(unix.PR_SET_MM, 1), refused,
		}},
		{unix.SYS_FCNTL, []bpf.Instruction{
			loadArgument(1), unlessEqual(fSetOwn, 1), refused, unlessEqual(fSetSig, 1), refused, unlessEqual(fSetOwnEx, 1), refused,
		}},
		// What runtimes ask of pipes, sockets and terminals. Others type into a
		// terminal, send signals, and take space on the disk.
		{unix.SYS_IOCTL, []bpf.Instruction{
			loadArgument(1),
			unlessEqual(unix.TCGETS, 1), answer(answerAllow),
			unlessEqual(unix.TIOCGWINSZ, 1), answer(answerAllow),
			unlessEqual(fioNRead, 1), answer(answerAllow),
			unlessEqual(fioNBIO, 1), answer(answerAllow),
			unlessEqual(fioClex, 1), answer(answerAllow),
			mustEqual(fioNClex), fail(unix.ENOTTY),
		}},
		// The limit of memory counts neither what is shared nor stacks.
		{unix.SYS_MMAP, []bpf.Instruction{
			loadArgument(3),
			bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: unix.MAP_GROWSDOWN, SkipTrue: 1}, refused,
			bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: unix.MAP_ANONYMOUS, SkipTrue: 2},
			bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: unix.MAP_SHARED, SkipTrue: 1}, refused,
		}},
		{unix.SYS_EXECVEAT, []bpf.Instruction{
			loadArgument(5), mustEqual(uint32(nonce)), refused,
			loadUpper(5), mustEqual(uint32(nonce >> 32)), refused,
		}},
	} {
		body := append(rule.body, answer(answerAllow))
		filter = append(filter, unlessEqual(rule.call, uint8(len(body))))
		filter = append(filter, body...)
	}
	return bpf.Assemble(append(filter, answer(answerAllow)))
}

// The filter sees this (linux/seccomp.h): the number of the call, the
// architecture, the address of the instruction, and six arguments of 64 bits.
func loadCall() bpf.Instruction { return bpf.LoadAbsolute{Off: 0, Size: 4} }
func loadArch() bpf.Instruction { return bpf.LoadAbsolute{Off: 4, Size: 4} }

// loadArgument loads the lower half of an argument: both processors keep it
// first. Where it is an int for the kernel, the upper half means nothing.
func loadArgument(n uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: 16 + 8*n, Size: 4} }
func loadUpper(n uint32) bpf.Instruction    { return bpf.LoadAbsolute{Off: 20 + 8*n, Size: 4} }

// unlessEqual skips so many instructions if what was loaded differs.
func unlessEqual(value uint32, skip uint8) bpf.Instruction {
	return bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: skip}
}

// mustEqual skips the next instruction, an answer, if what was loaded is equal.
func mustEqual(value uint32) bpf.Instruction {
	return bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipTrue: 1}
}

func answer(value uint32) bpf.Instruction    { return bpf.RetConstant{Val: value} }
func fail(number unix.Errno) bpf.Instruction { return answer(answerErrno | uint32(number)) }
