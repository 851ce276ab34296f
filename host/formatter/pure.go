package formatter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
	"github.com/restante/restante/host/formatter/purity"
	"github.com/restante/restante/host/formatter/sandbox"
)

const (
	// pureRuns is how often a new version formats the same batch before it
	// serves, in two processes. The order of a small map is the same in two runs
	// out of ten, so two would not do.
	pureRuns = 32
	// pureLimit bounds that for all groups together.
	pureLimit = 15 * time.Second
)

// Impure is what is done about a formatter that is found out, while it serves, to
// give other bytes for the same batch.
type Impure string

// What can be done.
const (
	// ImpureReport shows and logs it.
	ImpureReport Impure = "report"
	// ImpureQuarantine also goes back to the version before or, if there is
	// none, has the plugin wait for a person.
	ImpureQuarantine Impure = "quarantine"
)

// ParseImpure reads an Impure as it is written in a configuration.
func ParseImpure(text string) (Impure, error) {
	switch i := Impure(text); i {
	case ImpureReport, ImpureQuarantine:
		return i, nil
	}
	return "", fmt.Errorf("impure is %q; use %q or %q", text, ImpureReport, ImpureQuarantine)
}

// pureShift is how far ahead the clock of the second process is: another month,
// and mostly another day of the week.
const pureShift = 40 * 24 * time.Hour

// twin starts one more process of a version, with the same settings.
func (p *Plugins) twin(ctx context.Context, name string, r *running, w world) (*running, error) {
	settings := func(process.Description) (string, error) { return r.settings, nil }
	return p.launchConfined(ctx, name, r.version, settings, r.confinement, w)
}

// moved returns the world of a twin that is in another time zone and, where the
// system allows it, at another time.
func (p *Plugins) moved(ctx context.Context, r *running) world {
	w := world{environment: []string{"TZ=" + purity.OtherZone}}
	// Without the filter a process could leave another behind, which would keep
	// the clock.
	if r.confinement.mode != sandbox.Off && p.kernel.known().Has(sandbox.CallFilter) {
		w.clock = p.kernel.moves(ctx, pureShift)
	}
	if w.clock != nil {
		w.shift = pureShift
	}
	return w
}

// provePure has a new version format the newest messages of each group over and
// over in two more processes, and fails with errHeld unless the documents are
// always the same. It passes over what the version fails at.
func (f *file) provePure(ctx context.Context, r *running) error {
	p := f.plugins
	p.mu.RLock()
	known := f.history.find(r.version.digest)
	proven := f.attach != nil || known != nil && (known.Pure || known.Approved || !known.Served.IsZero())
	p.mu.RUnlock()
	if proven || p.config.Options(r.description.Name).Impure {
		return nil
	}
	// If the process that serves ends, to bring it back comes first.
	var ended <-chan struct{}
	if f.active != nil {
		ended = f.active.process.Done()
	}
	ctx, done := until(ctx, ended, errServingEnded)
	defer done()
	var twins []*running
	for _, w := range []world{{}, p.moved(ctx, r)} {
		twin, err := p.twin(ctx, f.name, r, w)
		if err != nil {
			return fmt.Errorf("it could not be started once more, to see whether its documents are always the same: %w", err)
		}
		defer p.retiring.Go(func() { p.end(ctx, f.name, twin) })
		twins = append(twins, twin)
	}
	limited, cancel := context.WithTimeout(ctx, pureLimit)
	defer cancel()
	complete := true
	for _, g := range r.description.Groups {
		if !g.Formats {
			continue
		}
		messages, err := p.config.Recent(limited, g.Name, comparedBatch)
		if err != nil && ctx.Err() == nil && limited.Err() == nil {
			return fmt.Errorf("read messages of %q to try it on: %w", g.Name, err)
		}
		b := host.Batch{Group: g.Name, Token: host.PreviewToken, Messages: messages}
		found, whole := repeat(limited, b, twins)
		if complete = complete && whole && len(messages) > 0; found == nil {
			continue
		}
		impurity := newImpurity(b, found)
		f.noteImpurity(impurity)
		f.hold(r.version, nil)
		return fmt.Errorf("%w: it is no pure function: %s; mend it, or %s", errHeld, impurity.Reason, f.remedy())
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p.mu.Lock()
	f.history.seen(r.version.digest, time.Now()).Pure = complete
	f.impurity = nil
	p.mu.Unlock()
	return nil
}

// repeat has two processes format a batch in turn, and tells whether they came to
// the end without an error.
func repeat(ctx context.Context, b host.Batch, twins []*running) (found *purity.Finding, whole bool) {
	var all purity.Series
	for i := range pureRuns {
		r := twins[i%len(twins)]
		a := purity.Ask(ctx, r.process, b)
		a.At = a.At.Add(r.world.shift)
		if a.Err != nil && i > 0 && ctx.Err() == nil && !passing(a.Err) {
			// What could be formatted can't be now.
			return &purity.Finding{Different: 2, Runs: i + 1, Processes: min(i+1, len(twins)), Details: []string{
				"run 1: an answer", fmt.Sprintf("run %d: %s", i+1, a.Err),
			}}, false
		}
		if a.Err != nil {
			return all.Find(), false
		}
		all = append(all, a)
	}
	return all.Find(), true
}

// passing tells whether a call failed in a way that says nothing of the formatter's
// answer: ends and time limits are for others to judge.
func passing(err error) bool {
	failed, ok := errors.AsType[*process.FailedError](err)
	return errors.Is(err, process.ErrTimeout) || errors.Is(err, process.ErrEnded) || ok && failed.Passing
}

func newImpurity(b host.Batch, found *purity.Finding) host.Impurity {
	reason := fmt.Sprintf("group %q, %s: %s", b.Group, messages(len(b.Messages)), found)
	if found.Cause != "" {
		reason += "; " + found.Cause
	}
	return host.Impurity{Time: time.Now().UTC(), Group: b.Group, Messages: b.IDs().String(), Reason: reason, Details: found.Details}
}

func (f *file) noteImpurity(i host.Impurity) {
	f.plugins.mu.Lock()
	defer f.plugins.mu.Unlock()
	f.impurity = &i
	f.plugins.log.Warn("plugin gives different documents for the same batch", "file", f.name, "group", i.Group,
		"messages", i.Messages, "reason", i.Reason, "details", strings.Join(i.Details, "\n"))
}

// sample has a few of the batches that leave formatted once more by another
// process, in the background, and compares the documents.
func (p *Plugins) sample(ctx context.Context, r *running, plugin string, b host.Batch, d host.Document) {
	o := p.config.Options(plugin)
	if o.Impure || r.version.path == "" || rand.Float64() >= o.Sample || !r.sampling.CompareAndSwap(false, true) {
		return
	}
	p.retiring.Go(func() {
		defer r.sampling.Store(false)
		if found := p.again(ctx, r, plugin, b, d); found != nil {
			p.impure(r, plugin, newImpurity(b, found))
		}
	})
}

// again formats a batch once more and compares the document with the one that
// left.
func (p *Plugins) again(ctx context.Context, r *running, plugin string, b host.Batch, d host.Document) *purity.Finding {
	ctx, cancel := context.WithTimeout(ctx, pureLimit)
	defer cancel()
	ctx, done := until(ctx, p.stopping, context.Canceled)
	defer done()
	p.mu.RLock()
	f := p.names[plugin]
	p.mu.RUnlock()
	if f == nil {
		return nil
	}
	other, err := p.twin(ctx, f.name, r, p.moved(ctx, r))
	if err != nil {
		p.log.Debug("plugin not started once more, to format a batch again", "plugin", plugin, "error", err)
		return nil
	}
	defer p.end(ctx, f.name, other)
	a := purity.Ask(ctx, other.process, b)
	if a.Err != nil {
		p.log.Debug("batch not formatted again", "plugin", plugin, "group", b.Group, "error", a.Err)
		return nil
	}
	a.At = a.At.Add(other.world.shift)
	left := purity.Answer{Document: d, PID: r.process.PID(), At: time.Now()}
	found := purity.Series{left, a}.Find()
	r.usage.sampled(found != nil)
	return found
}

// impure notes that a plugin which serves is no pure function, and has something
// done about it if the operator wants that.
func (p *Plugins) impure(r *running, plugin string, i host.Impurity) {
	p.mu.RLock()
	f := p.names[plugin]
	p.mu.RUnlock()
	if f == nil {
		return
	}
	p.mu.RLock()
	serves := f.active == r
	p.mu.RUnlock()
	if !serves { // it was retired meanwhile
		return
	}
	f.noteImpurity(i)
	if p.config.Options(plugin).OnImpure == ImpureQuarantine {
		f.mail.put(func(l *letter) { l.impure = append(l.impure, impureVersion{r.version, i.Reason}) })
	}
}

// impureVersion is a version that was found out.
type impureVersion struct {
	version version
	reason  string
}

// quarantineImpure puts what serves into quarantine, if it is one of these.
func (f *file) quarantineImpure(ctx context.Context, all []impureVersion) {
	i := slices.IndexFunc(all, func(v impureVersion) bool { return f.active != nil && f.active.version == v.version })
	if i < 0 {
		return
	}
	why := "it is no pure function: " + all[i].reason
	err := f.rollBack(ctx, why)
	if errors.Is(err, errNothingTo) {
		f.quarantine(ctx, why)
	} else if err != nil {
		f.plugins.log.Warn("plugin not rolled back", "file", f.name, "error", err)
	}
}

// quarantine has the plugin wait for a person, as there is no version to go back
// to.
func (f *file) quarantine(ctx context.Context, why string) {
	bad := f.active
	f.plugins.mu.Lock()
	known := f.history.seen(bad.version.digest, time.Now())
	known.Quarantined, known.Approved = why, false
	f.history.Active = ""
	f.active, f.last = nil, nil
	inFile := f.content == bad.version.digest
	if inFile {
		f.held, f.comparison = &bad.version, nil
	}
	f.plugins.mu.Unlock()
	_ = f.remember(ctx)
	f.plugins.retire(ctx, f, bad)
	f.plugins.log.Warn("plugin version quarantined", "file", f.name, "digest", bad.version.digest, "reason", why)
	f.good, f.next = nil, nil
	if inFile {
		f.refusal = f.quarantined(why)
	}
	f.setTrouble(f.refusal)
}
