package formatter

import (
	"context"
	"errors"
	"fmt"

	"github.com/restante/restante/host"
)

// errNameTaken: another file of the folder is the plugin of this name.
var errNameTaken = errors.New("plugin name is taken")

// errGone: the file has left the folder meanwhile.
var errGone = errors.New("its file is not in the folder any more")

// claim gives a process its plugin name and its groups: the first claimant has
// the groups for good, unless the operator releases them, and the name until its
// file has left the folder. Groups that belong to another plugin are noted in
// r.refused.
func (p *Plugins) claim(ctx context.Context, f *file, r *running) error {
	p.claiming.Lock()
	defer p.claiming.Unlock()
	name := r.description.Name
	p.mu.RLock()
	first, here := p.names[name], p.files[f.name] == f
	p.mu.RUnlock()
	if !here {
		return errGone
	}
	if first != nil && first.name != f.name {
		return fmt.Errorf("%w: the file %q is the plugin %q already; remove one of the two", errNameTaken, first.name, name)
	}
	succeeds := func(owner host.Queue) bool {
		// What is in the same file now takes the place of what was.
		return owner.File == f.name && p.holds(f, owner.Plugin)
	}
	refused := map[host.GroupName]string{}
	for _, g := range r.description.Groups {
		queue := host.Queue{
			Group: g.Name, Method: g.Method, Title: g.Title, Description: g.Description,
			Schedule: g.Schedule, Plugin: name, Formats: g.Formats,
			FormatsRequest: g.FormatsHTTPRequest && g.Method == host.Send, File: f.name,
		}
		err := p.config.Queues.Declare(ctx, queue, succeeds)
		switch {
		case errors.Is(err, host.ErrGroupTaken):
			refused[g.Name] = p.ownerOf(g.Name)
		case err != nil:
			return fmt.Errorf("its group %q can't be remembered: %w", g.Name, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names[name] = f
	r.refused = refused
	return nil
}

// taken fails with errNameTaken if another file of the folder is the plugin of
// this name, or was: what is set for that plugin, such as secrets and how it is
// shut in, is for no other. A file that is not in the folder is only looked at.
func (p *Plugins) taken(file, plugin string) error {
	queues := p.config.Queues.All()
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.files[file] == nil {
		return nil
	}
	owner := ""
	if first := p.names[plugin]; first != nil {
		owner = first.name
	}
	for _, q := range queues {
		if owner == "" && q.Plugin == plugin && p.files[q.File] != nil {
			owner = q.File
		}
	}
	if owner == "" || owner == file {
		return nil
	}
	return fmt.Errorf("%w: the file %q is the plugin %q already; remove one of the two", errNameTaken, owner, plugin)
}

// holds tells whether no other file has the plugin name.
func (p *Plugins) holds(f *file, name string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	holder := p.names[name]
	return holder == nil || holder == f
}

func (p *Plugins) ownerOf(g host.GroupName) string {
	owner, err := p.config.Queues.Queue(g)
	if err != nil {
		return "it belongs to another plugin"
	}
	text := fmt.Sprintf("it belongs to the plugin %q (file %q)", owner.Plugin, owner.File)
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.files[owner.File] == nil {
		text += fmt.Sprintf(", which is not in the folder; put it back or, to give the group to this plugin, run: restante queues release %s", g)
	}
	return text
}

// remembered tells whether a plugin of this name and file owns all these groups
// or, if all is false, one of them.
func (p *Plugins) remembered(f *file, r *running, all bool) bool {
	for _, g := range r.description.Groups {
		owner, err := p.config.Queues.Queue(g.Name)
		owns := err == nil && owner.Plugin == r.description.Name && owner.File == f.name
		if owns != all {
			return owns
		}
	}
	return all
}

// release gives up the plugin names of a file, all but one, and tells whether
// there were any. p.mu is held.
func (p *Plugins) release(f *file, but string) bool {
	released := false
	for name, holder := range p.names {
		if holder == f && name != but {
			delete(p.names, name)
			released = true
		}
	}
	return released
}
