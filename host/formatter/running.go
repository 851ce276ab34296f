package formatter

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
	"github.com/restante/restante/host/formatter/sandbox"
)

// running is one process that was discovered, and the calls that it works on.
type running struct {
	process     *process.Process
	description process.Description
	version     version
	settings    string // a JSON object
	confinement confinement
	sandbox     string           // how far it is shut in, in words
	build       host.PluginBuild // set before it is active
	usage       *usage           // of its file; set before it is active
	sampling    atomic.Bool
	world       world

	// refused holds the groups that it declared and did not get, with the
	// reason. Plugins.mu guards it once the process is active.
	refused map[host.GroupName]string

	// slots holds a value for every call in flight.
	slots chan struct{}

	// calls counts the calls in flight. It is only added to while the process
	// is active, under Plugins.mu.
	calls sync.WaitGroup
}

// maxCalls is how many calls of one process run at the same time; more wait for
// their turn. A call goes on when its caller has given up, and holds its batch
// and document, so there must be an end to how many there are.
const maxCalls = 8

// launch starts a version of a plugin, asks it what it is, and configures it.
func (p *Plugins) launch(ctx context.Context, name string, v version, settings settingsFor) (*running, error) {
	c := p.confinement(p.nameOf(name))
	r, err := p.launchConfined(ctx, name, v, settings, c, world{})
	// Only now is it known which plugin it is.
	if other, ok := errors.AsType[*confinedOtherwise](err); ok {
		if err := p.taken(name, other.plugin); err != nil {
			return nil, err
		}
		r, err = p.launchConfined(ctx, name, v, settings, other.want, world{})
	}
	return r, err
}

func (p *Plugins) launchConfined(ctx context.Context, name string, v version, settings settingsFor, c confinement, w world) (*running, error) {
	command, err := p.command(ctx, name, v, c, w.clock)
	if err != nil {
		return nil, err
	}
	r, err := p.start(ctx, v, settings, c, process.Config{
		Name:            name,
		Path:            v.path,
		Command:         command,
		Memory:          c.memory(),
		Environment:     w.environment,
		Started:         w.started(),
		Sockets:         p.config.Sockets,
		HostVersion:     p.config.HostVersion,
		Log:             w.logger(p.log),
		StartTimeout:    p.config.StartTimeout,
		DiscoverTimeout: p.config.DiscoverTimeout,
		CallTimeout:     p.config.CallTimeout,
		Grace:           p.config.Grace,
		MaxMessageBytes: p.config.MaxMessageBytes,
	})
	if err != nil {
		w.wait()
		return nil, err
	}
	r.world = w
	return r, nil
}

// world is what a process sees of the world that another one does not; the zero
// world is the usual one.
type world struct {
	clock       *sandbox.Clock // nil for the real one
	shift       time.Duration  // by which it is ahead
	environment []string
	quiet       bool // what it logs is for debugging alone
}

func (w world) logger(log hclog.Logger) hclog.Logger {
	if w.quiet {
		return quiet{log}
	}
	return log
}

// quiet is a logger on which nothing comes above Debug.
type quiet struct{ hclog.Logger }

func (q quiet) Named(name string) hclog.Logger { return quiet{q.Logger.Named(name)} }

func (q quiet) Log(level hclog.Level, message string, args ...any) {
	q.Logger.Log(min(level, hclog.Debug), message, args...)
}

func (q quiet) Info(message string, args ...any)  { q.Debug(message, args...) }
func (q quiet) Warn(message string, args ...any)  { q.Debug(message, args...) }
func (q quiet) Error(message string, args ...any) { q.Debug(message, args...) }

func (w world) started() func(*exec.Cmd) error {
	if w.clock == nil {
		return nil
	}
	return w.clock.Started
}

// wait returns when nothing is left of it. Its process must have ended.
func (w world) wait() {
	if w.clock != nil {
		w.clock.Wait()
	}
}

// confinedOtherwise: the process is shut in as another plugin should be.
type confinedOtherwise struct {
	plugin string
	want   confinement
}

func (e *confinedOtherwise) Error() string { return "it is another plugin whenever it is started" }

func (p *Plugins) start(ctx context.Context, v version, settings settingsFor, c confinement, config process.Config) (*running, error) {
	started, err := process.Start(ctx, config)
	if err != nil {
		return nil, err
	}
	r := &running{process: started, version: v, confinement: c, sandbox: p.describeSandbox(v, c), slots: make(chan struct{}, maxCalls)}
	if r.description, err = started.Discover(ctx); err != nil {
		err = fmt.Errorf("it could not say what it is: %w", err)
	} else if want := p.confinement(r.description.Name); want != c && v.path != "" {
		err = &confinedOtherwise{r.description.Name, want}
	} else if err = p.taken(config.Name, r.description.Name); err == nil {
		err = p.configure(ctx, r, settings)
	}
	if err == nil {
		return r, nil
	}
	started.Kill("it could not be asked what it is")
	if stopErr := started.Stop(ctx); stopErr != nil {
		p.log.Error("plugin process left", "file", config.Name, "error", stopErr)
	}
	if errors.Is(err, process.ErrEnded) {
		err = fmt.Errorf("%w: %s", err, started.Exit())
	}
	return nil, err
}

// origin says which version writes for the plugin.
func (r *running) origin(plugin string) host.Origin {
	return host.Origin{Plugin: plugin, Version: r.description.Version, Digest: r.version.digest}
}

// group returns what the plugin declared of a group.
func (r *running) group(g host.GroupName) (process.Group, bool) {
	for _, declared := range r.description.Groups {
		if declared.Name == g {
			return declared, true
		}
	}
	return process.Group{}, false
}

// shutdownPatience is how long calls in flight may take when the daemon ends.
const shutdownPatience = 5 * time.Second

// retire waits for the calls in flight, at most for patience or, once stopping
// is closed, for shutdownPatience, and ends the process. Nothing may be asked of
// it any more.
func (r *running) retire(ctx context.Context, stopping <-chan struct{}, patience time.Duration) error {
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		r.calls.Wait()
	}()
	if r.busy(idle, patience, stopping) {
		select {
		case <-stopping:
			r.busy(idle, shutdownPatience, nil)
		default:
		}
	}
	err := r.process.Stop(context.WithoutCancel(ctx))
	<-idle // a call ends when the process does
	return err
}

// busy waits until the process is idle or gone, or time is up, or hurry is
// closed, and tells whether there are still calls.
func (r *running) busy(idle <-chan struct{}, limit time.Duration, hurry <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
		return false
	case <-r.process.Done():
		return false
	case <-timer.C:
	case <-hurry:
	}
	return true
}

// retire ends a process that nobody asks any more, in the background.
func (p *Plugins) retire(ctx context.Context, f *file, r *running) {
	p.retiring.Go(func() {
		if err := r.retire(ctx, p.stopping, p.config.CallTimeout); err != nil {
			p.log.Error("plugin process left", "file", f.name, "error", err)
		}
	})
}
