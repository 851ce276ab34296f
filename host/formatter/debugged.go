package formatter

import (
	"context"
	"time"

	"github.com/restante/restante/host/formatter/process"
)

// Attachment says where a plugin listens that somebody else runs.
type Attachment = process.Attachment

// noDeadline is longer than anybody looks at a breakpoint.
const noDeadline = 24 * time.Hour

// attachedTo is the name of the file that there is not, for a plugin that
// somebody runs under a debugger.
func attachedTo(plugin string) string { return plugin + " (RESTANTE_REATTACH)" }

// attachAll takes up the plugins that somebody else runs, before the folder is
// looked at: they come before files of the same plugins.
func (p *Plugins) attachAll(ctx context.Context) {
	for plugin, a := range p.config.Attach {
		f := newFile(p, attachedTo(plugin))
		f.attach = &a
		p.mu.Lock()
		p.files[f.name] = f
		p.mu.Unlock()
		p.lives.Go(func() { f.live(ctx) })
	}
	// A debugger may hold a plugin; then its file, if there is one, serves.
	patience := time.NewTimer(5 * time.Second)
	defer patience.Stop()
	for plugin := range p.config.Attach {
		p.mu.RLock()
		f := p.files[attachedTo(plugin)]
		p.mu.RUnlock()
		select {
		case <-f.tried:
		case <-patience.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// connect takes up a plugin that somebody else runs. Nothing has a deadline.
func (f *file) connect(ctx context.Context) (*running, error) {
	p := f.plugins
	return p.start(ctx, version{}, p.current(false), confinement{}, process.Config{
		Name:            f.name,
		Attach:          f.attach,
		Sockets:         p.config.Sockets,
		HostVersion:     p.config.HostVersion,
		Log:             p.log,
		StartTimeout:    noDeadline,
		DiscoverTimeout: noDeadline,
		CallTimeout:     noDeadline,
		MaxMessageBytes: p.config.MaxMessageBytes,
	})
}
