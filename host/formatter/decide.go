package formatter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/restante/restante/host"
)

// Approve has the held version of a plugin serve, and waits until it does. Name
// is a plugin's or a file's.
func (p *Plugins) Approve(ctx context.Context, name string) error {
	return p.decide(ctx, name, "approve")
}

// RollBack quarantines the version of a plugin that serves, has the one before
// it serve, and waits until it does. Name is a plugin's or a file's.
func (p *Plugins) RollBack(ctx context.Context, name string) error {
	return p.decide(ctx, name, "roll back")
}

// Restart starts a plugin anew, beside the process that serves, and again at once
// if it is backing off; it waits until that is done. Name is a plugin's or a
// file's.
func (p *Plugins) Restart(ctx context.Context, name string) error {
	p.mu.RLock()
	f := p.file(name)
	p.mu.RUnlock()
	if f == nil {
		return fmt.Errorf("%q: %w", name, errNoSuchPlugin)
	}
	return p.order(ctx, f, name, newOrder(ctx, restart))
}

func (p *Plugins) decide(ctx context.Context, name, what string) error {
	p.mu.RLock()
	f := p.file(name)
	o := newOrder(ctx, what)
	if f != nil {
		if what == "approve" && f.held != nil {
			o.digest = f.held.digest
		} else if what != "approve" {
			o.digest = f.history.Active
		}
	}
	p.mu.RUnlock()
	switch {
	case f == nil:
		return fmt.Errorf("%q: %w", name, errNoSuchPlugin)
	case o.digest == "":
		return fmt.Errorf("%w: no version of %q is to %s", errNothingTo, name, what)
	}
	return p.order(ctx, f, name, o)
}

// order has a file obey an order, and waits until it has.
func (p *Plugins) order(ctx context.Context, f *file, name string, o order) error {
	f.mail.put(func(l *letter) { l.orders = append(l.orders, o) })
	select {
	case err := <-o.done:
		return err
	case <-f.ended:
		return fmt.Errorf("%q: %w any more", name, errNoSuchPlugin)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// file finds a file by its own name or its plugin's; p.mu is held.
func (p *Plugins) file(name string) *file {
	if f := p.files[name]; f != nil {
		return f
	}
	if f := p.names[name]; f != nil && p.files[f.name] == f {
		return f
	}
	return nil
}

// Preview compares a file, wherever it is, with the active plugin of the same
// name on stored messages. Nothing changes.
func (p *Plugins) Preview(ctx context.Context, path string) (host.Comparison, error) {
	info, err := os.Stat(path)
	if err != nil {
		return host.Comparison{}, fmt.Errorf("preview a plugin: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return host.Comparison{}, fmt.Errorf("preview a plugin: %s is not an executable file", path)
	}
	v, err := p.copies.adopt(ctx, path, info)
	if errors.Is(err, errChanged) {
		err = fmt.Errorf("%s changed while it was copied; try again when it is complete", path)
	}
	if err != nil {
		return host.Comparison{}, err
	}
	ctx, cancel := until(ctx, p.stopping, context.Canceled)
	defer cancel()
	defer p.forget(v.digest)
	next, err := p.launch(ctx, filepath.Base(path), v, p.current(false))
	if err != nil {
		return host.Comparison{}, fmt.Errorf("%s can't be started: %w", path, err)
	}
	defer p.end(ctx, path, next)
	p.mu.RLock()
	var active *running
	if f := p.names[next.description.Name]; f != nil {
		active = f.active
	}
	p.mu.RUnlock()
	if active == nil {
		return host.Comparison{}, fmt.Errorf("%s is the plugin %q, and no plugin of that name is active to compare it with", path, next.description.Name)
	}
	return p.compare(ctx, filepath.Base(path), active, next)
}

// until returns a context that also ends, for this cause, when a channel is closed;
// a nil one never is. Call cancel when done.
func until(ctx context.Context, closed <-chan struct{}, cause error) (within context.Context, cancel func()) {
	ctx, end := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-closed:
			end(cause)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { end(nil) }
}

// forget removes the copy of a version unless a file has it in its history.
func (p *Plugins) forget(digest string) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, f := range p.files {
		if f.history.find(digest) != nil {
			return
		}
	}
	_ = p.images.Forget(digest)
	if err := p.copies.remove(digest); err != nil {
		p.log.Warn("copy of a plugin not removed", "error", err)
	}
}
