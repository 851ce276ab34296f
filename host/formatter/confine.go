package formatter

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/host/formatter/sandbox"
)

// errSandbox: the plugin can't be shut in as the operator wants.
var errSandbox = errors.New("it can't be shut in")

// confinement is how a process is shut in. It can be compared.
type confinement struct {
	mode     sandbox.Mode
	limits   sandbox.Limits
	readable string // paths with a NUL after each
}

// memory returns how much memory a process may have, in bytes, or 0.
func (c confinement) memory() int64 {
	switch {
	case c.mode == sandbox.Off, c.limits.Memory == sandbox.Unlimited:
		return 0
	case c.limits.Memory == 0:
		return sandbox.DefaultMemory
	}
	return c.limits.Memory
}

// confinement returns how a plugin is to be shut in.
func (p *Plugins) confinement(plugin string) confinement {
	o := p.config.Options(plugin)
	c := confinement{mode: p.config.Sandbox, limits: o.Limits}
	if o.Sandbox != "" {
		c.mode = o.Sandbox
	}
	for _, path := range slices.Concat(p.config.Readable, o.Readable) {
		c.readable += path + "\x00"
	}
	return c
}

// nameOf guesses which plugin a file is before it can be asked: the one that it
// was, or the one that it is called like.
func (p *Plugins) nameOf(file string) string {
	for _, q := range p.config.Queues.All() {
		if q.File == file && q.Plugin != "" {
			return q.Plugin
		}
	}
	return strings.TrimSuffix(file, filepath.Ext(file))
}

// command returns what starts a version shut in and, if clock is not nil, by
// another clock.
func (p *Plugins) command(ctx context.Context, name string, v version, c confinement, clock *sandbox.Clock) (func(dir string) (*exec.Cmd, error), error) {
	if c.mode == sandbox.Off && clock == nil {
		return func(string) (*exec.Cmd, error) { return &exec.Cmd{Path: v.path, Args: []string{name}}, nil }, nil
	}
	var support sandbox.Support
	if c.mode != sandbox.Off {
		var err error
		if support, err = p.kernel.support(ctx); err != nil {
			return nil, err
		}
	}
	if missing := support.Missing(); missing != nil && c.mode == sandbox.Enforce {
		return nil, fmt.Errorf("%w: %w", errSandbox, missing)
	}
	var readable []string
	if c.readable != "" {
		readable = strings.Split(strings.TrimSuffix(c.readable, "\x00"), "\x00")
	}
	box, err := sandbox.New(sandbox.Config{Mode: c.mode, Limits: c.limits, Support: support, Readable: readable, Images: &p.images})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSandbox, err)
	}
	return func(dir string) (*exec.Cmd, error) {
		return box.Command(sandbox.Program{Name: name, Path: v.path, Digest: v.digest, Dir: dir, Clock: clock})
	}, nil
}

// describeSandbox says how far a process that is started now is shut in.
func (p *Plugins) describeSandbox(v version, c confinement) string {
	switch {
	case v.path == "":
		return "none: somebody else runs it"
	case c.mode == sandbox.Off:
		return "off: it can do whatever this user can do"
	}
	return p.kernel.known().String()
}

// kernel knows what the system gives for a sandbox. It is found out when that is
// first asked for.
type kernel struct {
	mu    sync.Mutex
	found *sandbox.Support
	clock *error // why no program can be given another clock, nil if one can
}

// moves returns a clock that is ahead by so much, or nil where there is none.
func (k *kernel) moves(ctx context.Context, shift time.Duration) *sandbox.Clock {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.clock == nil {
		err := sandbox.ProbeClock(ctx)
		if ctx.Err() != nil {
			return nil
		}
		k.clock = &err
	}
	if *k.clock != nil {
		return nil
	}
	return sandbox.MovedClock(shift)
}

func (k *kernel) support(ctx context.Context) (sandbox.Support, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.found == nil {
		found, err := sandbox.Probe(ctx)
		if err != nil {
			return found, fmt.Errorf("find out how plugins can be shut in: %w", err)
		}
		k.found = &found
	}
	return *k.found, nil
}

// known returns what was found, if anybody has asked.
func (k *kernel) known() sandbox.Support {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.found == nil {
		return sandbox.Support{}
	}
	return *k.found
}

// forget has the system looked at again, unless all is well.
func (k *kernel) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.found != nil && k.found.Missing() != nil {
		k.found = nil
	}
}

// announceSandbox tells the operator at the start how far plugins are shut in.
func (p *Plugins) announceSandbox(ctx context.Context) {
	if p.config.Sandbox == sandbox.Off {
		p.log.Warn("plugins run without a sandbox, as the configuration says: they can do whatever this user can do")
		return
	}
	support, err := p.kernel.support(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		p.log.Error("sandbox not looked for", "error", err)
	case support.Missing() != nil:
		p.log.Warn("sandbox for plugins incomplete", "sandbox", support.String(), "missing", support.Missing(), "mode", p.config.Sandbox)
	default:
		p.log.Info("sandbox for plugins", "sandbox", support.String())
	}
}
