package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// checkPlugins looks for plugin files that are out of service or missing.
func (a *Alerts) checkPlugins(ctx context.Context, now time.Time) error {
	var errs []error
	down, listed := map[string]time.Time{}, map[string]bool{}
	// A crash that is mended at once is in the plugin's own status.
	stays := func(file string) bool {
		down[file] = now
		if since, known := a.down[file]; known {
			down[file] = since
		}
		_, lasts := a.lasting(a.here(ErrorReport{Kind: ErrorPlugin, Plugin: limited(file, maxReportPlugin)}))
		return lasts || now.Sub(down[file]) >= pluginGrace
	}
	for _, p := range a.Plugins() {
		listed[limited(p.File, maxReportPlugin)] = true
		switch p.State {
		case PluginRejected:
			stays(p.File)
			errs = append(errs, a.settle(ctx, true, a.here(brokenPlugin(p)), now))
		case PluginBackingOff:
			if stays(p.File) {
				errs = append(errs, a.settle(ctx, true, a.here(brokenPlugin(p)), now))
			}
		case PluginStarting: // it may crash again
			if since, known := a.down[p.File]; known {
				down[p.File] = since
			}
		default:
			errs = append(errs, a.settle(ctx, false, a.here(brokenPlugin(p)), now))
		}
	}
	missing := a.missingFiles(listed)
	for file, groups := range missing {
		listed[limited(file, maxReportPlugin)] = true
		if stays(file) {
			errs = append(errs, a.settle(ctx, true, a.here(missingPlugin(file, groups)), now))
		}
	}
	for _, r := range a.open {
		if r.Kind == ErrorPlugin && r.Daemon == a.Daemon && !listed[r.Plugin] { // it was taken out, and has no queue
			errs = append(errs, a.settle(ctx, false, r, now))
		}
	}
	a.down = down
	return errors.Join(errs...)
}

// missingFiles returns the groups of plugins whose files are not listed.
func (a *Alerts) missingFiles(listed map[string]bool) map[string][]GroupName {
	missing := map[string][]GroupName{}
	for _, q := range a.Queues.All() {
		if q.Plugin != "" && q.File != "" && !q.Released && !listed[limited(q.File, maxReportPlugin)] {
			missing[q.File] = append(missing[q.File], q.Group)
		}
	}
	return missing
}

func brokenPlugin(p PluginStatus) ErrorReport {
	reason, _, _ := strings.Cut(p.Reason, ";") // the rest changes by the second
	details := []string{p.Reason, p.Failure}
	if p.LastExit != nil {
		details = append(details, p.LastExit.Reason, p.LastExit.Panic)
	}
	details = slices.DeleteFunc(details, func(s string) bool { return s == "" })
	return ErrorReport{
		Kind: ErrorPlugin, Plugin: p.File,
		Title:   fmt.Sprintf("The plugin %s is %s: %s.", p.File, p.State, reason),
		Details: strings.Join(slices.Compact(details), "\n"),
	}
}

func missingPlugin(file string, groups []GroupName) ErrorReport {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = string(g)
	}
	return ErrorReport{
		Kind: ErrorPlugin, Plugin: file,
		Title:   fmt.Sprintf("The plugin file %s is missing, and writes the queues %s.", file, strings.Join(names, ", ")),
		Details: "Put it back into the plugin folder, or give its queues to another plugin with \"restante queues release\".",
	}
}
