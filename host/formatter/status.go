package formatter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// describe returns the state of the file; Plugins.mu is held.
func (f *file) describe(now time.Time) host.PluginStatus {
	s := host.PluginStatus{File: f.name, Restarts: f.restarts, Failure: f.failure, FailedAt: f.failedAt}
	s.State, s.Reason = f.state(now)
	s.Content = f.content
	s.Impurity = f.impurity
	s.Comparison, s.Versions = f.comparison, slices.Clone(f.history.Versions)
	if f.held != nil {
		s.Held = f.held.digest
	}
	s.Usage, s.LastExit = f.usage.describe(), f.exit
	r := f.active
	if r == nil {
		// Whose groups wait is best told by what is remembered of the file.
		for _, q := range f.plugins.config.Queues.All() {
			if q.File == f.name && q.Plugin != "" {
				s.Name, s.Groups = q.Plugin, append(s.Groups, q.Group)
			}
		}
		return s
	}
	s.Name, s.Version, s.Digest = r.description.Name, r.description.Version, r.version.digest
	s.PID, s.Started = r.process.PID(), r.process.Started().UTC()
	s.Sandbox = r.sandbox
	s.Memory, s.Build, s.Log = r.process.Memory(), r.build, r.process.LastLines()
	s.Refused = maps.Clone(r.refused)
	for _, g := range r.description.Groups {
		if _, refused := r.refused[g.Name]; !refused {
			s.Groups = append(s.Groups, g.Name)
		}
	}
	slices.Sort(s.Groups)
	s.Settings = f.plugins.describeSettings(r)
	return s
}

// state says where the file is in its life and, unless all is well, why and
// what happens next.
func (f *file) state(now time.Time) (host.PluginState, string) {
	t := f.trouble
	var next string
	switch {
	case t.reason == "":
	case t.failures > 0:
		next = fmt.Sprintf("; it failed %d times in a row and is tried again %s, or at once when its file changes or by \"restante plugins restart %s\"",
			t.failures, soon(t.again.Sub(now)), f.name)
	case !t.again.IsZero():
		next = "; it is tried again " + soon(t.again.Sub(now))
	case t.taken:
	case t.settings:
	case t.permanent:
		next = "; it is tried again when its file changes"
	}
	switch {
	case f.active != nil && t.reason == "":
		return host.PluginActive, ""
	case f.active != nil && t.settings && f.content == f.active.version.digest:
		return host.PluginActive, "it goes on with the settings that it had: " + t.reason
	case f.active != nil && f.held != nil:
		return host.PluginActive, "another version serves than the file holds: " + strings.TrimPrefix(t.reason, errHeld.Error()+": ")
	case f.active != nil:
		return host.PluginActive, "the version before is still active, because of the changed file: " + t.reason + next
	case t.reason == "":
		return host.PluginStarting, "it is being started"
	case f.held != nil && t.permanent:
		return host.PluginRejected, strings.TrimPrefix(t.reason, errHeld.Error()+": ")
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
func (p *Plugins) whyNot(plugin string, g host.GroupName) *host.UnavailableError {
	switch p.phase {
	case unread:
		return unavailable(plugin, "", "the plugin folder was not looked at yet; try again in a moment")
	case ending:
		return unavailable(plugin, "", "the daemon is stopping")
	}
	f := p.names[plugin]
	if f != nil && p.files[f.name] == f {
		return f.whyNot(plugin)
	}
	// It has not said yet who it is, so go by the file that had the group.
	queue, err := p.config.Queues.Queue(g)
	if err != nil || queue.Plugin != plugin || queue.File == "" {
		return unavailable(plugin, "the folder is "+p.config.Folder, "none of the files in the plugin folder is this plugin")
	}
	f = p.files[queue.File]
	switch {
	case f == nil:
		return unavailable(plugin, "the folder is "+p.config.Folder, "its file %s is not in the plugin folder", queue.File)
	case f.active != nil:
		return unavailable(plugin, "", "its file %s is the plugin %q now", queue.File, f.active.description.Name)
	}
	return f.whyNot(plugin)
}

// whyNot says why the file does not serve.
func (f *file) whyNot(plugin string) *host.UnavailableError {
	now := time.Now()
	state, reason := f.state(now)
	switch {
	case state == host.PluginStarting:
		return unavailable(plugin, "", "it is being started; try again in a moment")
	case f.trouble.again.IsZero():
		return unavailable(plugin, reason, "its file %s can't be used; the operator finds out why with \"restante plugins list\"", f.name)
	}
	return unavailable(plugin, reason, "it does not run and is started again %s", soon(f.trouble.again.Sub(now)))
}
