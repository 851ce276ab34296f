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

func (p *Plugins) decide(ctx context.Context, name, what string) error {
	p.mu.RLock()
	f := p.file(name)
	p.mu.RUnlock()
	if f == nil {
		return fmt.Errorf("%q: %w", name, errNoSuchPlugin)
	}
	o := order{what: what, done: make(chan error, 1)}
	f.mail.put(func(l *letter) { l.orders = append(l.orders, o) })
	select {
	case err := <-o.done:
		return err
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
	next, err := p.launch(ctx, filepath.Base(path), v)
	if err != nil {
		return host.Comparison{}, fmt.Errorf("%s can't be started: %w", path, err)
	}
	defer func() {
		if err := next.retire(ctx, p.config.CallTimeout); err != nil {
			p.log.Error("plugin process left", "file", path, "error", err)
		}
	}()
	p.mu.RLock()
	f := p.names[next.description.Name]
	var active *running
	if f != nil && f.active != nil {
		active = f.active
		active.calls.Add(1) // it stays until the comparison is done
	}
	p.mu.RUnlock()
	if active == nil {
		return host.Comparison{}, fmt.Errorf("%s is the plugin %q, and no plugin of that name is active to compare it with", path, next.description.Name)
	}
	defer active.calls.Done()
	return p.compare(ctx, active, next)
}
