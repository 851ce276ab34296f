package process

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Exit is how a process ended.
type Exit struct {
	// Code is the exit status, or -1 if a signal ended the process.
	Code int
	// Signal names the signal in words, or is empty.
	Signal string
	// Killed is why the daemon killed the process, or empty.
	Killed string
	// Panic is the last panic of the Go runtime, with its stack, or empty.
	Panic string
	// Attached tells that it was not ours to end: it may live on.
	Attached bool
	// Stderr holds the last lines of standard error, at most 50.
	Stderr []string
}

// String says in one line how the process ended.
func (e Exit) String() string {
	panicked, _, _ := strings.Cut(e.Panic, "\n")
	switch {
	case e.Attached:
		return "the connection to it ended: " + e.Killed
	case e.Killed != "":
		return "it was killed: " + e.Killed
	case panicked != "":
		return "it crashed: " + oneLine(panicked, maxFailure)
	case e.Signal != "":
		return "it was ended by a signal (" + e.Signal + ")"
	case len(e.Stderr) > 0:
		return fmt.Sprintf("it exited with status %d; its last words: %s", e.Code, oneLine(e.Stderr[len(e.Stderr)-1], maxFailure))
	default:
		return fmt.Sprintf("it exited with status %d", e.Code)
	}
}

// Exit waits for the end of the process, and says how it ended. Call it after
// Done is closed; it then takes some 50 milliseconds at most.
func (p *Process) Exit() Exit {
	<-p.run.exited
	<-p.run.drained
	return p.run.exit()
}

// exit is known when the output has been read to its end.
func (r *runner) exit() Exit {
	e := Exit{Code: -1, Attached: r.config.Attach != nil}
	e.Stderr, e.Panic = r.errors.facts()
	if r.state != nil {
		e.Code = r.state.ExitCode()
		e.Signal = signalText(r.state)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// It may have ended by itself just before it was killed.
	if e.Signal != "" || r.state == nil {
		e.Killed = r.killed
	}
	return e
}

func signalText(state *os.ProcessState) string {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return ""
	}
	text := status.Signal().String()
	if status.Signal() == syscall.SIGKILL {
		text += ", perhaps for want of memory"
	}
	return text
}
