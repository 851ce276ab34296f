package sandbox

import (
	"cmp"
	"fmt"
)

// Unlimited is the value of a limit that is not set.
const Unlimited = -1

// DefaultMemory is the default of Limits.Memory: 512 MiB.
const DefaultMemory = 512 << 20

// Limits bound what one process may use. Zero means the default.
type Limits struct {
	// Memory is how many bytes of data the process may have, touched or not:
	// 512 MiB if 0. Go, Python and Node start with 256 MiB. Programs built
	// with Go's race detector need Unlimited.
	Memory int64
	// Files is how many files and connections it may have open: 256 if 0.
	Files int
	// Threads is how many threads it may have: 256 if 0. Without a user
	// namespace the kernel counts all threads of the user together, so there
	// the limit is what the user has at the start and four times Threads more,
	// and the kernel holds root to no limit.
	Threads int
}

// withDefaults returns the limits with every zero replaced.
func (l Limits) withDefaults() (Limits, error) {
	if l.Memory < Unlimited || l.Files < Unlimited || l.Threads < Unlimited {
		return l, fmt.Errorf("sandbox limits: a limit is negative and not %d", Unlimited)
	}
	// Less than this and no program starts, with errors that say nothing.
	const leastMemory, leastFiles, leastThreads = 32 << 20, 16, 16
	l.Memory = cmp.Or(l.Memory, DefaultMemory)
	l.Files = cmp.Or(l.Files, 256)
	l.Threads = cmp.Or(l.Threads, 256)
	switch {
	case l.Memory != Unlimited && l.Memory < leastMemory:
		return l, fmt.Errorf("sandbox limits: %d bytes of memory are too few for any program: allow %d or more", l.Memory, int64(leastMemory))
	case l.Files != Unlimited && l.Files < leastFiles:
		return l, fmt.Errorf("sandbox limits: %d open files are too few for any program: allow %d or more", l.Files, leastFiles)
	case l.Threads != Unlimited && l.Threads < leastThreads:
		return l, fmt.Errorf("sandbox limits: %d threads are too few for any program: allow %d or more", l.Threads, leastThreads)
	}
	return l, nil
}
