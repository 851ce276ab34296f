package sandbox

import (
	"debug/elf"

	"golang.org/x/sys/unix"
)

// auditArch is how the kernel tells the filter of calls made the usual way.
const auditArch = unix.AUDIT_ARCH_AARCH64

// machine is how executables say which processor they are for.
const machine = elf.EM_AARCH64

// foreignCalls is a number that no call has: this processor has calls of one
// kind only. Those of 32-bit programs have another auditArch.
const foreignCalls = 0x40000000

// refusedHere are calls that only this processor has: none.
func refusedHere() []uint32 { return nil }
