package formatter

import (
	"context"
	"errors"
	"fmt"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

// WriteMessages implements host.Formatters. When ctx ends it returns at once,
// with the error of ctx. The plugin's time does not end with it: a plugin that
// takes longer than Config.CallTimeout over a batch is killed and started
// again, as nothing else would stop one that spins. So the batch must not be
// changed afterwards.
func (p *Plugins) WriteMessages(ctx context.Context, plugin string, b host.Batch) (host.Document, error) {
	if err := ctx.Err(); err != nil {
		return host.Document{}, err
	}
	r, reason := p.acquire(plugin, b.Group)
	if r == nil {
		return host.Document{}, &host.UnavailableError{Plugin: plugin, Reason: reason}
	}
	type answer struct {
		document host.Document
		err      error
	}
	answered := make(chan answer, 1)
	go func() {
		defer r.calls.Done()
		d, err := p.ask(context.WithoutCancel(ctx), r, plugin, b)
		answered <- answer{d, err}
	}()
	select {
	case a := <-answered:
		return a.document, a.err
	case <-ctx.Done():
		return host.Document{}, ctx.Err()
	}
}

// acquire returns the process to ask, with a call added to it, or the reason
// why there is none.
func (p *Plugins) acquire(plugin string, g host.GroupName) (*running, string) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	f := p.names[plugin]
	if f == nil || f.active == nil || f.active.description.Name != plugin {
		return nil, p.whyNot(plugin, g)
	}
	r := f.active
	declared, ok := r.group(g)
	refused, isRefused := r.refused[g]
	switch {
	case isRefused:
		return nil, fmt.Sprintf("the group %q is not its own: %s", g, refused)
	case !ok:
		return nil, fmt.Sprintf("its version %q does not declare the group %q any more; install a version that does", r.description.Version, g)
	case !declared.Formats:
		return nil, fmt.Sprintf("its version %q does not format the group %q any more", r.description.Version, g)
	}
	r.calls.Add(1)
	return r, ""
}

// ask makes one call and says in the words of host how it failed.
func (p *Plugins) ask(ctx context.Context, r *running, plugin string, b host.Batch) (host.Document, error) {
	d, rejections, err := r.process.WriteMessages(ctx, b)
	failed, isFailed := errors.AsType[*process.FailedError](err)
	reason := ""
	switch {
	case err == nil && len(rejections) > 0:
		return host.Document{}, &host.RejectedError{Plugin: plugin, Rejections: rejections}
	case err == nil:
		return d, nil
	case errors.Is(err, process.ErrTimeout):
		reason = fmt.Sprintf("it took longer than %s over %d messages and was killed; it is started again", p.config.CallTimeout, len(b.Messages))
		r.process.Kill(fmt.Sprintf("it took longer than %s over a batch", p.config.CallTimeout))
	case errors.Is(err, process.ErrEnded):
		reason = r.process.Exit().String() + "; it is started again"
	default:
		reason = err.Error()
		if isFailed && failed.Cut() {
			p.log.Warn("plugin call failed", "plugin", plugin, "group", b.Group, "error", failed.Text)
		}
	}
	return host.Document{}, &host.UnavailableError{Plugin: plugin, Reason: reason}
}
