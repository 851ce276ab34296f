package formatter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

// Edition implements host.Formatters.
func (p *Plugins) Edition(plugin string) host.Edition {
	p.mu.RLock()
	defer p.mu.RUnlock()
	f := p.names[plugin]
	if f == nil || f.last == nil {
		return host.Edition{}
	}
	return f.last.edition(plugin)
}

func (r *running) edition(plugin string) host.Edition {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%+v", r.settings, r.confinement))
	return host.Edition{Origin: r.origin(plugin), Setup: hex.EncodeToString(sum[:16])}
}

// understudy is host.Understudy. What becomes of its processes counts for
// nothing: neither for backing off nor for a trial, nor is it shown.
type understudy struct {
	plugins *Plugins
	plugin  string
	file    string
	of      *running // whose place it takes
	now     *running // nil until it is needed
	closed  func()
}

// Understudy implements host.Formatters. Run does not return before the
// understudy is closed.
func (p *Plugins) Understudy(ctx context.Context, plugin string, g host.GroupName) (host.Understudy, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	f := p.names[plugin]
	if p.phase == ending || f == nil || f.last == nil {
		return nil, p.whyNot(plugin, g)
	}
	if f.last.version.path == "" {
		return nil, unavailable(plugin, "", "somebody else runs it, and it can't be started once more")
	}
	if why := f.last.mayNot(plugin, g, asksDocument); why != nil {
		return nil, why
	}
	p.retiring.Add(1) // Run waits only after the phase has become ending
	return &understudy{plugins: p, plugin: plugin, file: f.name, of: f.last, closed: sync.OnceFunc(p.retiring.Done)}, nil
}

// Edition implements host.Understudy.
func (u *understudy) Edition() host.Edition { return u.of.edition(u.plugin) }

// WriteMessages implements host.Understudy.
func (u *understudy) WriteMessages(ctx context.Context, b host.Batch) (host.Document, error) {
	ctx, done := until(ctx, u.plugins.stopping, context.Canceled)
	defer done()
	if err := u.start(ctx); err != nil {
		if ctx.Err() != nil {
			return host.Document{}, ctx.Err()
		}
		u.plugins.log.Debug("plugin understudy not started", "plugin", u.plugin, "error", err)
		return host.Document{}, unavailable(u.plugin, err.Error(), "it could not be started once more")
	}
	d, rejections, err := u.now.process.WriteMessages(ctx, b)
	switch {
	case ctx.Err() != nil:
		return host.Document{}, ctx.Err()
	case err != nil:
		why := u.plugins.failed(u.now, u.plugin, b, err)
		u.plugins.log.Debug("plugin understudy failed", "plugin", u.plugin, "group", string(b.Group), "messages", b.IDs().String(), "error", why.Failed)
		if errors.Is(err, process.ErrTimeout) || errors.Is(err, process.ErrEnded) {
			u.end(ctx)
		}
		return host.Document{}, why
	case len(rejections) > 0:
		return host.Document{}, &host.RejectedError{Plugin: u.plugin, Rejections: rejections}
	}
	d.Origin = u.of.origin(u.plugin)
	return d, nil
}

// start starts a process if there is none that lives.
func (u *understudy) start(ctx context.Context) (err error) {
	if u.now != nil {
		select {
		case <-u.now.process.Done():
			u.end(ctx)
		default:
			return nil
		}
	}
	u.now, err = u.plugins.twin(ctx, u.file, u.of, world{quiet: true})
	return err
}

// end ends the process without asking it first: nothing of it is worth the time.
func (u *understudy) end(ctx context.Context) {
	if u.now == nil {
		return
	}
	u.now.process.Kill("it has stood in for another")
	u.plugins.end(ctx, u.file, u.now)
	u.now = nil
}

// Close implements host.Understudy.
func (u *understudy) Close(ctx context.Context) {
	u.end(ctx)
	u.closed()
}
