package formatter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/host"
)

// Errors of a version that is kept from serving until a person decides.
var (
	errHeld = errors.New("held")
	// errNoSuchPlugin and errNothingTo are of the decisions themselves.
	errNoSuchPlugin = errors.New("no plugin or file of this name is in the plugin folder")
	errNothingTo    = errors.New("nothing to decide")
)

// prove compares a new version with the one that serves, or served last, on
// stored messages, and fails with errHeld unless it may take over.
func (f *file) prove(ctx context.Context, r *running) error {
	if f.good == nil || f.attach != nil {
		return nil
	}
	if *f.good == r.version {
		return f.proveSettings(ctx, r)
	}
	f.plugins.mu.Lock()
	known := f.history.seen(r.version.digest, time.Now())
	known.Version = r.description.Version
	approved := known.Approved
	f.plugins.mu.Unlock()
	if approved {
		return nil
	}
	before, name := f.active, r.description.Name
	if before == nil {
		if !f.plugins.config.Options(name).Approval {
			return nil
		}
		f.hold(r.version, nil)
		return fmt.Errorf("%w: the version before can't be started to compare it with, and this plugin is set to wait for approval: %s", errHeld, f.remedy())
	}
	if before.description.Name != name {
		f.hold(r.version, nil)
		return fmt.Errorf("%w: it is the plugin %q, and the file was the plugin %q: %s", errHeld, name, before.description.Name, f.remedy())
	}
	c, err := f.plugins.compare(ctx, f.name, before, r)
	if err != nil {
		return err
	}
	broken := c.Broken()
	switch {
	case broken != "":
		f.hold(r.version, &c)
		return fmt.Errorf("%w: %s; mend it, or %s", errHeld, broken, f.remedy())
	case (c.Changed() || c.Incomplete) && f.plugins.config.Options(name).Approval:
		f.hold(r.version, &c)
		return fmt.Errorf("%w: version %q writes other documents than version %q, or could not be compared to the end, and this plugin is set to wait for approval: look at them with \"restante plugins show %s\" and %s",
			errHeld, c.To, c.From, f.name, f.remedy())
	}
	f.setComparison(&c)
	return nil
}

// remedy says how a held version gets to serve.
func (f *file) remedy() string {
	return fmt.Sprintf("approve it with \"restante plugins approve %s\"", f.name)
}

// hold keeps a version from serving.
func (f *file) hold(v version, c *host.Comparison) {
	f.plugins.mu.Lock()
	defer f.plugins.mu.Unlock()
	f.held, f.comparison = &v, c
}

func (f *file) setComparison(c *host.Comparison) {
	f.plugins.mu.Lock()
	defer f.plugins.mu.Unlock()
	f.comparison = c
}

// served remembers that a version serves.
func (f *file) served(ctx context.Context, r *running) {
	f.plugins.mu.Lock()
	known := f.history.seen(r.version.digest, time.Now())
	known.Version, known.Served = r.description.Version, time.Now().UTC()
	f.history.Active = r.version.digest
	f.plugins.mu.Unlock()
	_ = f.remember(ctx)
}

func (f *file) remember(ctx context.Context) error {
	if f.attach != nil {
		return nil // it has no digest to be remembered by
	}
	err := f.history.save(context.WithoutCancel(ctx))
	if err != nil {
		f.plugins.log.Warn("plugin history not written", "file", f.name, "error", err)
	}
	return err
}

// What is ordered beside the decisions between versions: to run with the
// settings that hold now, and to start anew.
const (
	reconfigure = "reconfigure"
	restart     = "restart"
)

// order is a decision of a person.
type order struct {
	what   string          // "approve", "roll back", reconfigure or restart
	digest string          // of the version that it is about, if it is about one
	gone   <-chan struct{} // closed when nobody waits for it any more
	done   chan error
}

func newOrder(ctx context.Context, what string) order {
	return order{what: what, gone: ctx.Done(), done: make(chan error, 1)}
}

// obey carries out a decision.
func (f *file) obey(ctx context.Context, o order) {
	select {
	case <-o.gone:
		if o.what != reconfigure { // the settings hold, whoever waits
			return
		}
	default:
	}
	switch {
	case o.what == reconfigure:
		o.done <- f.reconfigure(ctx)
	case o.what == restart:
		o.done <- f.restart(ctx)
	case o.what == "approve" && (f.held == nil || f.held.digest != o.digest),
		o.what == "roll back" && (f.good == nil || f.good.digest != o.digest):
		o.done <- fmt.Errorf("%w any more: the version of %q has changed meanwhile; look again with \"restante plugins show %s\"", errNothingTo, f.name, f.name)
	case o.what == "approve":
		o.done <- f.approve(ctx)
	default:
		o.done <- f.rollBack(ctx, "it was rolled back by hand")
	}
}

// approve has the held version serve.
func (f *file) approve(ctx context.Context) error {
	v := *f.held
	f.plugins.mu.Lock()
	known := f.history.seen(v.digest, time.Now())
	known.Approved, known.Quarantined = true, ""
	f.held = nil
	f.plugins.mu.Unlock()
	saved := f.remember(ctx)
	f.plugins.log.Info("plugin version approved", "file", f.name, "digest", v.digest)
	f.next, f.refusal = &v, trouble{}
	f.attempt(ctx)
	if f.active == nil || f.active.version != v {
		return fmt.Errorf("version approved, but it does not serve: %s", f.trouble.reason)
	}
	return unsaved(saved)
}

// rollBack quarantines the version that serves, or served last, and has the one
// before it serve.
func (f *file) rollBack(ctx context.Context, why string) error {
	if f.good == nil { // the lock file has taken it back meanwhile
		return errNothingTo
	}
	bad := *f.good
	before := f.history.before(bad.digest)
	if before == nil {
		return fmt.Errorf("%w: there is no version of %q before this one to go back to", errNothingTo, f.name)
	}
	v, err := f.plugins.copies.kept(before.Digest)
	if err == nil {
		err = f.plugins.checkLock(f.name, v)
	}
	if err != nil {
		return fmt.Errorf("the version before can't take over: %w", err)
	}
	f.plugins.mu.Lock()
	known := f.history.seen(bad.digest, time.Now())
	known.Quarantined, known.Approved = why, false
	before = f.history.find(v.digest)
	before.Approved = true // it needs no proof again
	f.history.Active = v.digest
	inFile := f.content == bad.digest
	if inFile {
		f.held, f.comparison = &bad, nil
	}
	f.plugins.mu.Unlock()
	saved := f.remember(ctx)
	f.plugins.log.Warn("plugin rolled back", "file", f.name, "from", bad.digest, "to", v.digest, "reason", why)
	f.good, f.next = &v, nil
	if inFile {
		f.refusal = f.quarantined(why)
	}
	f.backoff.reset()
	f.attempt(ctx)
	if f.active == nil || f.active.version != v {
		return fmt.Errorf("version quarantined, but the one before does not serve yet: %s", f.trouble.reason)
	}
	return unsaved(saved)
}

// unsaved tells a person that a decision holds only until a restart.
func unsaved(err error) error {
	if err != nil {
		return fmt.Errorf("done, but a restart will undo it: %w", err)
	}
	return nil
}

// quarantined is why the content of the file is not used.
func (f *file) quarantined(why string) trouble {
	return trouble{permanent: true, reason: fmt.Sprintf("its version is quarantined: %s; replace the file, or %s", why, f.remedy())}
}
