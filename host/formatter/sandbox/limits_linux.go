//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// limitResources sets the limits of the process, soft and hard alike. It must
// come late: the trampoline itself is bound by them, too.
func (s *steps) limitResources(o orders) error {
	// Addresses cost memory, too, for the kernel's tables: 2 MiB for each GiB
	// that is used. Runtimes reserve many GiB, and the race detector, which
	// knows no limits, far more.
	const spare = 64 << 30
	addresses := int64(Unlimited)
	if o.Memory != Unlimited {
		addresses = o.Memory + spare
	}
	limits := []struct {
		name     string
		resource int
		value    int64
	}{
		// Zero for the size of files leaves empty ones, which is all that a
		// socket needs, and keeps the disk from filling up.
		{"file size", unix.RLIMIT_FSIZE, 0},
		{"core size", unix.RLIMIT_CORE, 0},
		{"locked memory", unix.RLIMIT_MEMLOCK, 64 << 10},
		{"message queues", unix.RLIMIT_MSGQUEUE, 0},
		{"real-time priority", unix.RLIMIT_RTPRIO, 0},
		{"open files", unix.RLIMIT_NOFILE, int64(o.Files)},
		// Data, not address space: runtimes reserve far more than they use.
		{"memory", unix.RLIMIT_DATA, o.Memory},
		{"addresses", unix.RLIMIT_AS, addresses},
		{"threads", unix.RLIMIT_NPROC, int64(o.Threads)},
	}
	for _, l := range limits {
		if l.value == Unlimited {
			continue
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		value := min(uint64(l.value), now.Max) // ours is its own, and can only be lowered
		s.begin("limit the " + l.name)
		s.call(unix.SYS_PRLIMIT64, 0, uint64(l.resource), s.data(unix.Rlimit{Cur: value, Max: value}), 0)
	}
	return nil
}

// threadsOf counts the threads of a user, as the kernel does for its limit.
// Processes that come and go meanwhile may be missed.
func threadsOf(user int) int {
	files, _ := filepath.Glob("/proc/[0-9]*/status")
	threads := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // gone
		}
		if fields := strings.Fields(statusLine(string(text), "Uid:")); len(fields) > 0 && fields[0] == strconv.Itoa(user) {
			n, _ := strconv.Atoi(strings.TrimSpace(statusLine(string(text), "Threads:")))
			threads += n
		}
	}
	return threads
}

// statusLine returns what follows a key in the text of /proc/PID/status.
func statusLine(text, key string) string {
	_, after, _ := strings.Cut(text, "\n"+key)
	line, _, _ := strings.Cut(after, "\n")
	return line
}
