package sandbox

import (
	"debug/elf"

	"golang.org/x/sys/unix"
)

// auditArch is how the kernel tells the filter of calls made the usual way.
const auditArch = unix.AUDIT_ARCH_X86_64

// machine is how executables say which processor they are for.
const machine = elf.EM_X86_64

// foreignCalls is the number from which on calls are of another kind: on this
// processor those with 32-bit pointers (x32).
const foreignCalls = 0x40000000

// refusedHere are calls that only this processor has.
func refusedHere() []uint32 {
	return []uint32{
		unix.SYS_FORK, unix.SYS_VFORK,
		unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_MKNOD,
		unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT,
		unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT,
		unix.SYS_USELIB, unix.SYS_USTAT, unix.SYS_SYSFS, unix.SYS__SYSCTL,
		unix.SYS_CREATE_MODULE, unix.SYS_QUERY_MODULE, unix.SYS_GET_KERNEL_SYMS,
	}
}
