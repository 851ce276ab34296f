package formatter

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/restante/restante/host"
)

// describe returns the state of the file; Plugins.mu is held.
func (f *file) describe(now time.Time) host.PluginStatus {
	s := host.PluginStatus{File: f.name, Restarts: f.restarts}
	s.State, s.Reason = f.state(now)
	r := f.active
	if r == nil {
		return s
	}
	s.Name, s.Version, s.Digest = r.description.Name, r.description.Version, r.version.digest
	s.PID, s.Started = r.process.PID(), r.process.Started().UTC()
	s.Refused = maps.Clone(r.refused)
	for _, g := range r.description.Groups {
		if _, refused := r.refused[g.Name]; !refused {
			s.Groups = append(s.Groups, g.Name)
		}
	}
	slices.Sort(s.Groups)
	return s
}

// state says where the file is in its life and, unless all is well, why and
// what happens next.
func (f *file) state(now time.Time) (host.PluginState, string) {
	t := f.trouble
	var next string
	switch {
	case t.reason == "":
	case !t.again.IsZero():
		next = "; it is tried again " + soon(t.again.Sub(now))
	case t.taken:
	case t.permanent:
		next = "; it is tried again when its file changes"
	}
	switch {
	case f.active != nil && t.reason == "":
		return host.PluginActive, ""
	case f.active != nil:
		return host.PluginActive, "the version before is still active, because of the changed file: " + t.reason + next
	case t.reason == "":
		return host.PluginStarting, "it is being started"
	case t.permanent:
		return host.PluginRejected, t.reason + next
	default:
		return host.PluginBackingOff, t.reason + next
	}
}

func soon(d time.Duration) string {
	if d < time.Second {
		return "in a moment"
	}
	return fmt.Sprintf("in %s", d.Round(time.Second))
}

// whyNot says why a plugin can't format a group now; p.mu is held.
func (p *Plugins) whyNot(plugin string, g host.GroupName) string {
	switch p.phase {
	case unread:
		return "the plugin folder was not looked at yet; try again in a moment"
	case ending:
		return "the daemon is stopping"
	}
	f := p.names[plugin]
	if f != nil && p.files[f.name] == f {
		_, reason := f.state(time.Now())
		return reason
	}
	// It has not said yet who it is, so go by the file that had the group.
	queue, err := p.config.Queues.Queue(g)
	if err != nil || queue.Plugin != plugin || queue.File == "" {
		return fmt.Sprintf("none of the files in the plugin folder %s is this plugin", p.config.Folder)
	}
	f = p.files[queue.File]
	switch {
	case f == nil:
		return fmt.Sprintf("its file %s is not in the plugin folder %s", queue.File, p.config.Folder)
	case f.active != nil:
		return fmt.Sprintf("its file %s is the plugin %q now", queue.File, f.active.description.Name)
	}
	_, reason := f.state(time.Now())
	return reason
}
