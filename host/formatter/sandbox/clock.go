package sandbox

import (
	"os"
	"os/exec"
	"sync"
	"time"
)

// Clock is a wall clock that one program sees in the place of the real one, to
// find out whether what it writes depends on the time. It is for tests of
// programs: each reading of the clock takes some microseconds more.
//
// The program's readings of the time of day are moved, as with
// clock_gettime(CLOCK_REALTIME), gettimeofday and time. What measures how time
// passes is not, nor are the times of files, nor when it is that a wait until a
// time of day ends, which few runtimes use.
//
// A Clock is for one start of one program: set Program.Clock, start the command
// on a thread of its own, and call Started on the same thread at once. When the
// program has ended, Wait returns.
type Clock struct {
	shift  time.Duration
	socket *os.File       // our end, where the kernel's questions are handed over
	served sync.WaitGroup // ends with the program
}

// MovedClock returns a clock that is ahead of the real one by so much, or behind
// it if that is negative.
func MovedClock(shift time.Duration) *Clock { return &Clock{shift: shift} }

// Started has the program that cmd has just started see the clock. It must be
// called on the thread that started it (see runtime.LockOSThread), before
// anything else is done with cmd. It returns when the program is about to run,
// and takes no longer than the start. If the trampoline ends before that, it
// returns nil: the end of the process says the rest.
//
// If it fails the program must be killed: it stands still, or sees the real
// clock. The error is ErrNoClock if the system does not allow it.
func (c *Clock) Started(cmd *exec.Cmd) error { return c.started(cmd) }

// Wait returns when the program has ended and been waited for, and nothing of
// the clock is left. It returns at once if the program was not started.
func (c *Clock) Wait() {
	c.served.Wait()
	if c.socket != nil {
		_ = c.socket.Close()
	}
}
