package formatter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

// WriteMessages implements host.Formatters. When ctx ends it returns at once,
// with the error of ctx. The plugin's time does not end with it: a plugin that
// takes longer than Config.CallTimeout over a batch is killed and started
// again, as nothing else would stop one that spins. So the batch must not be
// changed afterwards.
func (p *Plugins) WriteMessages(ctx context.Context, plugin string, b host.Batch) (host.Document, error) {
	return called(ctx, p, plugin, b.Group, asksDocument, func(ctx context.Context, r *running) (host.Document, error) {
		return p.ask(ctx, r, plugin, b)
	})
}

// FormatHTTPRequest implements host.Formatters. It is like WriteMessages, whose
// time limit holds for it as well.
func (p *Plugins) FormatHTTPRequest(ctx context.Context, plugin string, b host.Batch, d host.Document) (host.HTTPRequest, error) {
	return called(ctx, p, plugin, b.Group, asksRequest, func(ctx context.Context, r *running) (host.HTTPRequest, error) {
		request, err := r.process.FormatHTTPRequest(ctx, b, d)
		if err != nil {
			return host.HTTPRequest{}, p.fell(r, plugin, b, err)
		}
		return request, nil
	})
}

// called makes a call of a plugin, and returns at once when ctx ends.
func called[T any](ctx context.Context, p *Plugins, plugin string, g host.GroupName, of asked, call func(context.Context, *running) (T, error)) (none T, _ error) {
	if err := ctx.Err(); err != nil {
		return none, err
	}
	r, why := p.acquire(plugin, g, of)
	if r == nil {
		return none, why
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		r.calls.Done()
		return none, ctx.Err()
	}
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		defer r.calls.Done()
		defer func() { <-r.slots }()
		v, err := call(context.WithoutCancel(ctx), r)
		answered <- answer{v, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// acquire returns the process to ask, with a call added to it, or the reason
// why there is none.
func (p *Plugins) acquire(plugin string, g host.GroupName, of asked) (*running, *host.UnavailableError) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	f := p.names[plugin]
	if f == nil || f.active == nil {
		return nil, p.whyNot(plugin, g)
	}
	// While a file changes its plugin's name, what ran before still serves.
	r := f.active
	if why := r.mayNot(plugin, g, of); why != nil {
		return nil, why
	}
	r.calls.Add(1)
	return r, nil
}

// asked is what a plugin is asked for.
type asked int

const (
	asksDocument asked = iota
	asksRequest
)

// mayNot says why the process is not to be asked about a group, or returns nil;
// Plugins.mu is held.
func (r *running) mayNot(plugin string, g host.GroupName, of asked) *host.UnavailableError {
	declared, ok := r.group(g)
	refused, isRefused := r.refused[g]
	switch {
	case isRefused:
		return unavailable(plugin, "", "the group %q is not its own: %s", g, refused)
	case !ok:
		return unavailable(plugin, "", "its version %q does not declare the group %q any more; install a version that does", r.description.Version, g)
	case of == asksRequest && !declared.FormatsHTTPRequest:
		return unavailable(plugin, "", "its version %q does not say any more how the group %q is sent", r.description.Version, g)
	case of == asksDocument && !declared.Formats:
		return unavailable(plugin, "", "its version %q does not format the group %q any more", r.description.Version, g)
	}
	return nil
}

// ask makes one call and says in the words of host how it failed.
func (p *Plugins) ask(ctx context.Context, r *running, plugin string, b host.Batch) (host.Document, error) {
	r.usage.begin()
	begun := time.Now()
	d, rejections, err := r.process.WriteMessages(ctx, b)
	took, outcome := time.Since(begun), host.CallOK
	switch {
	case err != nil:
		outcome = host.CallFailed
	case len(rejections) > 0:
		outcome = host.CallRejected
	}
	r.usage.end(took, outcome)
	p.config.Observe(plugin, b.Group, took, outcome)
	switch {
	case err == nil && len(rejections) > 0: // the plugin does as it should
		rejected := &host.RejectedError{Plugin: plugin, Rejections: rejections}
		p.noteRejection(r, plugin, rejected)
		return host.Document{}, rejected
	case err == nil:
		d.Origin = r.origin(plugin)
		p.sample(ctx, r, plugin, b, d)
		return d, nil
	}
	return host.Document{}, p.fell(r, plugin, b, err)
}

// fell says in the words of host how a call failed, and notes it.
func (p *Plugins) fell(r *running, plugin string, b host.Batch, err error) error {
	why := p.failed(r, plugin, b, err)
	stack := ""
	if failed, ok := errors.AsType[*process.FailedError](err); ok && failed.Cut() {
		stack = failed.Text
	}
	p.noteFailure(r, plugin, b, cmp.Or(why.Detail, why.Reason), stack)
	return why
}

// failed says in the words of host how a call failed, and kills a process that
// took too long.
func (p *Plugins) failed(r *running, plugin string, b host.Batch, err error) (why *host.UnavailableError) {
	switch {
	case errors.Is(err, process.ErrTimeout):
		why = unavailable(plugin, "", "it took longer than %s over %s and was killed; it is started again", p.config.CallTimeout, messages(len(b.Messages)))
		why.Failed = fmt.Sprintf("it took longer than %s", p.config.CallTimeout)
		r.process.Kill(why.Failed + " over a batch")
	case errors.Is(err, process.ErrEnded):
		exit := r.process.Exit().String()
		why = unavailable(plugin, exit, "its process ended over this batch; it is started again")
		why.Failed = "its process ended: " + strings.TrimPrefix(exit, "it crashed: ")
	default:
		why = unavailable(plugin, err.Error(), "it failed over this batch; the operator finds its words in the daemon's log")
		why.Failed = strings.TrimPrefix(err.Error(), "it failed: ")
	}
	return why
}

// noteRejection shows and logs a rejection; it counts against no version.
func (p *Plugins) noteRejection(r *running, plugin string, rejected *host.RejectedError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.names[plugin]; f != nil && f.active == r {
		f.failure, f.failedAt = rejected.Error(), time.Now()
	}
}

func unavailable(plugin, detail, reason string, args ...any) *host.UnavailableError {
	return &host.UnavailableError{Plugin: plugin, Reason: fmt.Sprintf(reason, args...), Detail: detail}
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

// failurePause keeps a poller that asks again and again from filling the log.
const failurePause = time.Second

// noteFailure keeps the last failure for the operator, and logs it unless there
// was one just now.
func (p *Plugins) noteFailure(r *running, plugin string, b host.Batch, text, whole string) {
	now := time.Now()
	p.mu.Lock()
	f := p.names[plugin]
	if f == nil || f.active != nil && f.active != r { // it is on its way out
		p.mu.Unlock()
		return
	}
	quiet := now.Sub(f.failedAt) < failurePause && f.failure == text
	f.failure, f.failedAt = text, now
	if f.trial.failure(r.version, b) {
		f.mail.put(func(l *letter) { l.failing = true })
	}
	p.mu.Unlock()
	if quiet {
		return
	}
	log := p.log.With("plugin", plugin, "group", string(b.Group), "messages", b.IDs().String(), "error", text)
	if whole != "" {
		log = log.With("whole", whole)
	}
	log.Warn("plugin call failed")
}
