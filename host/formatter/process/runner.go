package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	plugrunner "github.com/hashicorp/go-plugin/runner"
)

// pipeGrace is how long the output of a process that has ended is still read. A
// child of it may hold the pipes open for ever.
const pipeGrace = 50 * time.Millisecond

// runner is the life of one operating system process, and what go-plugin gets
// in place of its own way to start one. go-plugin would hand on the daemon's
// environment and standard input, wait for pipes that a grandchild holds, stop
// reading after a long line, panic on a malformed log line, and connect to any
// address that it is told. Here go-plugin sees no more of the output than one
// good handshake line, and everything else is ours.
type runner struct {
	config Config
	output *stdout
	errors *stderr
	sink   *sink

	env []string // go-plugin's variables
	dir string   // the private folder of the process

	// exited is closed at once when the process has ended or could not be
	// started; drained is closed after it, when all output has been read.
	exited, drained chan struct{}

	// These are set before exited is closed and not changed after it.
	launchErr error
	state     *os.ProcessState

	mu     sync.Mutex
	begun  bool
	pid    int
	reaped bool     // the pid may belong to somebody else now
	killed string   // why we killed it
	stdin  *os.File // our end; the plugin sees it close when the daemon dies

	address string // the plugin's socket

	released chan struct{} // of an attached process: we let go of it
}

var _ plugrunner.Runner = (*runner)(nil)

func newRunner(config Config) *runner {
	r := &runner{config: config, exited: make(chan struct{}), drained: make(chan struct{}), released: make(chan struct{})}
	r.sink = &sink{log: config.Log.Named(config.Name)}
	r.output = newStdout(r.sink)
	r.errors = &stderr{sink: r.sink}
	return r
}

// Start launches the process. go-plugin calls it once.
func (r *runner) Start(context.Context) error {
	r.mu.Lock()
	begun := r.begun
	r.begun = true
	r.mu.Unlock()
	if begun {
		return errors.New("start a process twice")
	}
	launched := make(chan error, 1)
	go r.live(launched)
	return <-launched
}

// live launches the process, waits for its end, and reads its output to the
// end. The kernel kills the process when the thread that made it ends (see
// parentDeath), so the goroutine keeps its thread all along.
func (r *runner) live(launched chan<- error) {
	defer close(r.drained)
	if r.config.Attach != nil {
		r.attach(launched)
		return
	}
	runtime.LockOSThread()
	outR, errR, cmd, err := r.launch()
	if err != nil {
		r.launchErr = err
		r.output.none()
		close(r.exited)
		launched <- err
		return
	}
	pid := cmd.Process.Pid
	r.mu.Lock()
	r.pid = pid
	if r.killed != "" {
		_ = killGroup(pid)
	}
	r.mu.Unlock()

	var reading sync.WaitGroup
	reading.Go(func() { r.output.read(outR) })
	reading.Go(func() { r.errors.read(errR) })
	launched <- nil

	// Where the system can tell of the end before the process is reaped, its
	// group is killed while nobody else can have the same number.
	unreaped := awaitEnd(pid)
	if !unreaped {
		_ = cmd.Wait()
	}
	r.mu.Lock()
	r.reaped = true
	_ = killGroup(pid)
	r.mu.Unlock()
	if unreaped {
		_ = cmd.Wait()
	}
	r.state = cmd.ProcessState
	close(r.exited)
	r.closeStdin()

	read := make(chan struct{})
	go func() {
		defer close(read)
		reading.Wait()
	}()
	grace := time.NewTimer(pipeGrace)
	defer grace.Stop()
	select {
	case <-read:
	case <-grace.C:
	}
	_ = outR.Close()
	_ = errR.Close()
	<-read
	r.sink.flush()
}

// end kills the process and all of its group at once, and notes why. It does
// not wait. Only the first reason is kept, and none if the process has ended.
func (r *runner) end(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reaped {
		return
	}
	first := r.killed == ""
	if first {
		r.killed = reason
	}
	switch {
	case !r.begun: // nothing will be started now
		r.begun, r.reaped = true, true
		r.output.none()
		close(r.exited)
		close(r.drained)
	case r.config.Attach != nil:
		if first {
			close(r.released)
		}
	case r.pid != 0:
		_ = killGroup(r.pid)
	}
}

// ask sends the process, not its group, the signal to end.
func (r *runner) ask() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pid != 0 && !r.reaped {
		_ = terminate(r.pid)
	}
}

func (r *runner) closeStdin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stdin != nil {
		_ = r.stdin.Close()
		r.stdin = nil
	}
}

// Wait returns when the process has ended.
func (r *runner) Wait(context.Context) error {
	<-r.exited
	return nil
}

// Kill does nothing. go-plugin calls it when a start fails and when the process
// is gone; we end it ourselves, once it is known whether it ended on its own.
func (r *runner) Kill(context.Context) error { return nil }

// Stdout gives the handshake line and then the end of the file.
func (r *runner) Stdout() io.ReadCloser { return r.output.handshake }

// Stderr is empty, so go-plugin's own log parser has nothing to do.
func (r *runner) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name returns what the operator calls the plugin.
func (r *runner) Name() string { return r.config.Name }

// Diagnose returns nothing: startError does this work.
func (r *runner) Diagnose(context.Context) string { return "" }

// ID returns the process id, or "" if there is no process.
func (r *runner) ID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.config.Attach != nil {
		return r.config.Attach.id()
	}
	if r.pid == 0 {
		return ""
	}
	return strconv.Itoa(r.pid)
}

// PluginToHost lets go-plugin connect only to a socket that the plugin made in
// its own folder.
func (r *runner) PluginToHost(network, address string) (string, string, error) {
	if err := r.checkAddress(network, address); err != nil {
		return "", "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.address = address
	return network, address, nil
}

// HostToPlugin returns the address as it is.
func (r *runner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// checkAddress lets a plugin listen in its own folder, or where an operator says
// that it does.
func (r *runner) checkAddress(network, address string) error {
	if a := r.config.Attach; a != nil && network == "unix" && address == a.Address {
		return nil
	}
	return checkAddress(r.dir, network, address)
}

func (r *runner) process() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.config.Attach != nil {
		return r.config.Attach.PID
	}
	return r.pid
}

func (r *runner) socket() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.address
}

// synced takes what came over go-plugin's stream.
func (r *runner) synced(b []byte, stderr bool) {
	eachLine(bytes.NewReader(b), func(line []byte, _ int) {
		if stderr {
			r.errors.take(line)
		} else {
			r.sink.write(hclog.Debug, "plugin printed", "text", oneLine(string(line), maxLine))
		}
	})
}
