package formatter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/restante/restante/host/formatter/process"
)

// attempt copies and starts what is to be run, as far as that is not done.
func (f *file) attempt(ctx context.Context) {
	within, done := f.mail.try(ctx)
	defer done()
	err := f.renew(within)
	if err != nil && f.active == nil && f.good != nil && f.next != nil && within.Err() == nil {
		// The version before is better than nothing.
		if goodErr := f.revive(within); goodErr != nil {
			err = fmt.Errorf("%w; and the version before: %w", err, goodErr)
		}
	}
	f.arrive(ctx, nil) // does nothing if claim has done so
	switch {
	case err == nil:
		f.setTrouble(f.refusal)
	case within.Err() != nil: // there is news, which says what is to be done
	default:
		f.failed(ctx, err)
	}
}

// renew brings up the newest version, or what was active last.
func (f *file) renew(ctx context.Context) error {
	for {
		r, err := f.bringUp(ctx)
		if err != nil || r == nil {
			return err
		}
		if err := f.adopt(ctx, r); err != nil {
			return err
		}
		if f.next == nil {
			return nil
		}
	}
}

// bringUp starts what is to run; nil means that it runs already.
func (f *file) bringUp(ctx context.Context) (*running, error) {
	if f.first && !f.arrived {
		select {
		case f.plugins.starts <- struct{}{}:
			defer func() { <-f.plugins.starts }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.attach != nil {
		if f.active != nil {
			return nil, nil
		}
		return f.connect(ctx)
	}
	if err := f.copy(ctx); err != nil {
		return nil, err
	}
	if f.next == nil && f.active == nil && f.good != nil && !f.plugins.copies.has(*f.good) {
		// Somebody has removed the copy; the file may still be there.
		if err := f.copyAgain(ctx); err != nil {
			return nil, err
		}
	}
	if f.active == nil && f.next != nil && f.good != nil && !f.lone {
		// What served last comes first: the next version is compared with it.
		r, err := f.launch(ctx, *f.good)
		if err == nil || ctx.Err() != nil {
			return r, err
		}
		f.lone = true
		f.plugins.log.Warn("plugin version before not started", "file", f.name, "error", err)
	}
	switch {
	case f.next != nil:
		return f.launch(ctx, *f.next)
	case f.good != nil && (f.active == nil || f.active.version != *f.good || f.stale):
		return f.launch(ctx, *f.good)
	default:
		return nil, nil
	}
}

// launch starts a version of the file, if it may run.
func (f *file) launch(ctx context.Context, v version) (*running, error) {
	if err := f.plugins.checkLock(f.name, v); err != nil {
		if f.good != nil && *f.good == v {
			f.good = nil // it is of no use until the file or the lock changes
		}
		return nil, err
	}
	return f.plugins.launch(ctx, f.name, v, f.plugins.current(f.former(v)))
}

// former tells whether the file holds another version now.
func (f *file) former(v version) bool { return f.content != "" && f.content != v.digest }

// revive brings up what was active last.
func (f *file) revive(ctx context.Context) error {
	r, err := f.launch(ctx, *f.good)
	if err != nil {
		return err
	}
	return f.adopt(ctx, r)
}

// copy takes over the file, if that is not done yet. It sets next unless the
// content is that of good.
func (f *file) copy(ctx context.Context) error {
	if f.pending == nil {
		return nil
	}
	v, err := f.plugins.copies.adopt(ctx, filepath.Join(f.plugins.config.Folder, f.name), f.pending.info)
	if err != nil {
		return err
	}
	f.pending, f.refusal = nil, trouble{}
	f.plugins.mu.Lock()
	known := *f.history.seen(v.digest, time.Now())
	f.held = nil
	f.content = v.digest
	dropped := f.history.dropped
	f.history.dropped = nil
	f.plugins.mu.Unlock()
	for _, digest := range dropped {
		f.plugins.forget(digest)
	}
	_ = f.remember(ctx)
	switch {
	case known.Quarantined != "":
		f.hold(v, nil)
		f.refusal = f.quarantined(known.Quarantined)
	case f.good == nil || f.good.digest != v.digest:
		f.next = &v
	}
	return nil
}

// copyAgain copies the file as it is now, in place of a copy that was lost.
func (f *file) copyAgain(ctx context.Context) error {
	if err := f.lookAgain(); err != nil {
		return err
	}
	f.good = nil
	return f.copy(ctx)
}

// lookAgain has the file copied as it is now.
func (f *file) lookAgain() error {
	info, err := os.Stat(filepath.Join(f.plugins.config.Folder, f.name))
	if err != nil {
		return fmt.Errorf("copy the plugin: %w", err)
	}
	f.pending = &sight{info: info}
	return nil
}

// adopt claims what a process declared and makes it the active one. If that
// fails the process is ended.
func (f *file) adopt(ctx context.Context, r *running) error {
	err := f.prove(ctx, r)
	if err == nil {
		err = f.provePure(ctx, r)
	}
	if err == nil {
		err = f.claim(ctx, r)
	}
	if err != nil {
		f.plugins.retire(ctx, f, r)
		return err
	}
	f.activate(ctx, r)
	return nil
}

func (f *file) claim(ctx context.Context, r *running) error {
	claimed := f.arrive(ctx, r)
	if claimed == nil {
		return f.plugins.claim(ctx, f, r)
	}
	select {
	case err := <-claimed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// activate has a process take over from the one before, which is ended when it
// has answered the calls that it is working on.
func (f *file) activate(ctx context.Context, r *running) {
	p := f.plugins
	if f.next != nil && *f.next == r.version {
		f.next, f.refusal = nil, trouble{}
	}
	r.build = builtFrom(r.version, r.description)
	last := f.good
	f.good, f.stale = &r.version, false
	p.mu.Lock()
	before := f.active
	if last != nil && *last != r.version {
		f.trial = newTrial(r.version, p.config.Trial)
	}
	r.usage = &f.usage
	f.active, f.last = r, r
	released := p.release(f, r.description.Name)
	refused := len(r.refused)
	p.mu.Unlock()
	p.log.Info("plugin active", "file", f.name, "plugin", r.description.Name, "version", r.description.Version,
		"digest", r.version.digest, "pid", r.process.PID(), "groups", len(r.description.Groups)-refused)
	for g, reason := range r.refused {
		p.log.Warn("plugin group refused", "file", f.name, "plugin", r.description.Name, "group", g, "reason", reason)
	}
	f.served(ctx, r)
	if before != nil {
		p.retire(ctx, f, before)
		if before.version != r.version {
			_ = p.images.Forget(before.version.digest)
		}
	}
	if released {
		p.poke(f)
	}
}

// failed notes why the newest version is not active and what is done about it.
func (f *file) failed(ctx context.Context, err error) {
	t := trouble{reason: err.Error()}
	log := f.plugins.log.With("file", f.name, "reason", t.reason)
	if start, ok := errors.AsType[*process.StartError](err); ok {
		t.permanent = start.Permanent
		if start.Exit != nil {
			f.plugins.mu.Lock()
			f.exit = ended(*start.Exit)
			f.exit.Reason = start.Reason
			f.plugins.mu.Unlock()
		}
		if len(start.Output) > 0 {
			log = log.With("output", start.Output)
		}
	}
	if f.active == nil && f.good != nil && f.next == nil {
		if why := f.trial.crash(*f.good); why != "" && f.rollBack(context.WithoutCancel(ctx), why+": "+t.reason) == nil {
			return
		}
	}
	t.taken = errors.Is(err, errNameTaken)
	if t.settings = errors.Is(err, errSettings) || errors.Is(err, errSandbox); t.settings {
		t.permanent, f.stale = true, false
	}
	if t.taken || errors.Is(err, errUnusable) || errors.Is(err, errHeld) || errors.Is(err, process.ErrBadReply) {
		t.permanent = true
	}
	if t.permanent {
		f.refusal = t
		f.pending = nil
	}
	if t.permanent && !t.taken {
		if f.next != nil {
			_ = f.plugins.images.Forget(f.next.digest)
		}
		f.next = nil
	}
	switch {
	case t.permanent && f.active != nil:
		f.setTrouble(t)
		log.Warn("plugin not replaced")
	case t.permanent && (f.good == nil || t.settings):
		f.setTrouble(t)
		log.Warn("plugin rejected")
	default:
		f.retry(&t)
		log.Warn("plugin not started", "retry_in", time.Until(t.again).Round(time.Millisecond).String())
	}
}

// retry sets the time of the next attempt.
func (f *file) retry(t *trouble) {
	wait := f.backoff.next()
	if f.backoff.spent() {
		t.failures = f.backoff.failures
	}
	f.timer.Reset(wait)
	t.permanent, t.again = false, time.Now().Add(wait)
	f.setTrouble(*t)
}

func (f *file) setTrouble(t trouble) {
	f.plugins.mu.Lock()
	defer f.plugins.mu.Unlock()
	f.trouble = t
}
