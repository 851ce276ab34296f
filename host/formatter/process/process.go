package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/restante/restante/proto/handshake"
)

const (
	// lostGrace is how long a process may live on after it closed its
	// connection to us, which it can't use any more.
	lostGrace = time.Second
	// termGrace is the time between SIGTERM and SIGKILL.
	termGrace = 500 * time.Millisecond
	// deathLimit is how long we wait for a process to go that was killed. The
	// kernel may hold it longer while a disk does not answer.
	deathLimit = 5 * time.Second
)

// Process is one plugin process, from its start to its end; it is not started
// again. All methods are safe for concurrent use. Call Stop in the end, also if
// the process is gone.
type Process struct {
	config Config
	run    *runner
	client *plugin.Client

	// Set by Start, when the process is ready.
	protocol  plugin.ClientProtocol
	formatter *handshake.Client

	lost     chan struct{} // the connection is closed
	loseOnce sync.Once
	dialed   atomic.Bool
	asked    atomic.Bool   // Stop was called
	ended    chan struct{} // nothing of the process is left
	started  time.Time

	mu      sync.Mutex
	conns   []*grpc.ClientConn
	cleared bool // no helper may be started any more
	helpers sync.WaitGroup
}

// Start starts a plugin and waits until it can be called. It fails with a
// *StartError, with the error of ctx, or if the system has no resources for it;
// then nothing of the plugin is left. ctx bounds the start only.
func Start(ctx context.Context, config Config) (*Process, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	folder, err := newSocketFolder(config.Sockets)
	if err != nil {
		return nil, err
	}
	p := &Process{
		config:  config,
		run:     newRunner(config),
		lost:    make(chan struct{}),
		ended:   make(chan struct{}),
		started: time.Now(),
	}
	p.client = plugin.NewClient(p.clientConfig(folder.path))
	go p.supervise(folder)

	connected := make(chan error, 1)
	go func() { connected <- p.connect() }()
	limit := time.NewTimer(config.StartTimeout)
	defer limit.Stop()
	timedOut := false
	select {
	case err = <-connected:
		if err == nil {
			return p, nil
		}
		p.awaitOwnEnd()
		p.run.end("it did not start properly")
	case <-ctx.Done():
		p.run.end("its start was given up")
		err = <-connected
	case <-limit.C:
		timedOut = true
		p.run.end(fmt.Sprintf("it was not ready within %s", config.StartTimeout))
		err = <-connected
	}
	<-p.ended
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, p.startError(err, timedOut)
}

// awaitOwnEnd gives a process that closed its standard output without a word
// the moment that it takes to end by itself, so that its exit status is known.
func (p *Process) awaitOwnEnd() {
	if announced, _, refusal := p.run.output.facts(); announced || refusal != nil {
		return
	}
	moment := time.NewTimer(200 * time.Millisecond)
	defer moment.Stop()
	select {
	case <-p.run.exited:
	case <-moment.C:
	}
}

// supervise waits for the end of the process and then clears everything away.
func (p *Process) supervise(folder *socketFolder) {
	defer close(p.ended)
	select {
	case <-p.run.exited:
	case <-p.lost:
		grace := time.NewTimer(lostGrace)
		select {
		case <-p.run.exited:
		case <-grace.C:
			if !p.asked.Load() { // else Stop sees to it
				p.run.end("it closed its connection to the daemon")
			}
		}
		grace.Stop()
	}
	<-p.run.exited
	<-p.run.drained
	if p.config.Attach != nil {
		p.closeConns() // or the library would tell the process to end
	}
	// The process is gone, so this waits for nothing; it would wait for ever
	// for one that is not. It is needed for go-plugin's goroutines to end.
	p.client.Kill()
	p.closeConns()
	p.helpers.Wait()
	folder.remove()
}

// PID returns the process id.
func (p *Process) PID() int { return p.run.process() }

// Started returns when the process was started.
func (p *Process) Started() time.Time { return p.started }

// Memory returns how many bytes the process has in memory, or 0 if that is not
// known.
func (p *Process) Memory() int64 {
	p.run.mu.Lock()
	defer p.run.mu.Unlock()
	if p.run.pid == 0 || p.run.reaped {
		return 0
	}
	return resident(p.run.pid)
}

// Done returns a channel that is closed at once when the process has ended, for
// whatever reason.
func (p *Process) Done() <-chan struct{} { return p.run.exited }

// LastLines returns the last lines of standard error, at most 50.
func (p *Process) LastLines() []string {
	tail, _ := p.run.errors.facts()
	return tail
}

// Kill kills the process and what it started, without waiting. The reason is
// kept for Exit, as in "it was killed: REASON". It does nothing if the process
// has ended.
func (p *Process) Kill(reason string) { p.run.end(reason) }

// Stop ends the process and returns when nothing of it is left. The process is
// asked first, and killed after Config.Grace or when ctx ends. Calls in flight
// may be cut off. It fails only if the kernel does not let the process go. It
// may be called again.
func (p *Process) Stop(ctx context.Context) error {
	if p.config.Attach != nil {
		return p.letGo(context.WithoutCancel(ctx))
	}
	p.shutdown()
	p.run.closeStdin()
	if !p.endsWithin(ctx, p.config.Grace) {
		p.run.ask()
		if !p.endsWithin(ctx, termGrace) {
			p.run.end("it did not end when it was asked to")
		}
	}
	limit := time.NewTimer(deathLimit)
	defer limit.Stop()
	select {
	case <-p.ended:
		return nil
	case <-limit.C:
		return fmt.Errorf("stop plugin %s: process %d is still there %s after it was killed", p.config.Name, p.PID(), deathLimit)
	}
}

// shutdown asks the plugin to end by way of go-plugin, once, and does not wait:
// the answer may never come.
func (p *Process) shutdown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked.Swap(true) && !p.cleared {
		p.helpers.Go(func() { _ = p.protocol.Close() })
	}
}

// endsWithin tells whether the process ends in time. When ctx is over there is
// no time.
func (p *Process) endsWithin(ctx context.Context, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.run.exited:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// lose notes that the connection is closed.
func (p *Process) lose() { p.loseOnce.Do(func() { close(p.lost) }) }

var errDialedTwice = errors.New("the plugin closed its connection")
