package formatter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

// errSettings: the plugin can't run with the settings that the operator gave it.
var errSettings = errors.New("its settings can't be used")

// settingsFor returns the settings, a JSON object, that a plugin is to run with.
type settingsFor func(process.Description) (string, error)

// current returns the settings that hold now. A version that its file does not
// hold any more is lenient: the operator has written the settings for another.
func (p *Plugins) current(lenient bool) settingsFor {
	return func(d process.Description) (string, error) {
		settings, err := d.Resolve(p.config.Options(d.Name).Settings, lenient)
		if err != nil {
			return "", fmt.Errorf("%w: %w; %s", errSettings, err, correct(d.Name))
		}
		return settings, nil
	}
}

func correct(plugin string) string {
	return fmt.Sprintf("correct the block plugin %q of the configuration and run \"restante reload\"", plugin)
}

// configure gives a process the settings that it is to run with. They are part
// of the format, so they never change while it runs.
func (p *Plugins) configure(ctx context.Context, r *running, choose settingsFor) error {
	settings, err := choose(r.description)
	if err != nil {
		return err
	}
	r.settings = settings
	if len(r.description.Settings) == 0 {
		return nil
	}
	err = r.process.Configure(ctx, []byte(settings))
	if refused, ok := errors.AsType[*process.FailedError](err); ok {
		return fmt.Errorf("%w: it says: %s; %s", errSettings, strings.TrimPrefix(refused.Error(), "it failed: "), correct(r.description.Name))
	}
	if err != nil {
		return fmt.Errorf("it could not be given its settings: %w", err)
	}
	return nil
}

// describeSettings shows the settings that a process runs with, without secrets.
func (p *Plugins) describeSettings(r *running) []host.PluginSetting {
	var values map[string]json.RawMessage
	_ = json.Unmarshal([]byte(r.settings), &values) // Resolve has made it
	given := p.config.Options(r.description.Name).Settings
	var all []host.PluginSetting
	for _, s := range r.description.Settings {
		shown := host.PluginSetting{
			Name: s.Name, Type: string(s.Type), Description: s.Description, Required: s.Required, Secret: s.Secret,
		}
		_, shown.Set = given[s.Name]
		if !s.Secret {
			shown.Value = values[s.Name]
		}
		all = append(all, shown)
	}
	slices.SortFunc(all, func(a, b host.PluginSetting) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Reconfigured is what became of one plugin when its options changed.
type Reconfigured struct {
	// Plugin is the plugin's name, File its file's.
	Plugin, File string
	// Err is why it does not run with its new settings; nil if it does.
	Err error
}

// Reconfigure has every plugin whose settings changed start anew with the new
// ones, beside the process that serves, and waits until that is done. Plugins
// that can't run with the new settings go on with the old ones. The result is in
// the order of the files; plugins for which nothing changed are not in it.
func (p *Plugins) Reconfigure(ctx context.Context) ([]Reconfigured, error) {
	p.kernel.forget()
	p.mu.RLock()
	files := slices.Collect(maps.Values(p.files))
	p.mu.RUnlock()
	// Whoever runs these restarts them; a debugger may hold them for hours.
	files = slices.DeleteFunc(files, func(f *file) bool { return f.attach != nil })
	slices.SortFunc(files, func(a, b *file) int { return cmp.Compare(a.name, b.name) })
	orders := make([]order, len(files))
	for i, f := range files {
		orders[i] = newOrder(ctx, reconfigure)
		f.mail.put(func(l *letter) { l.orders = append(l.orders, orders[i]) })
	}
	var all []Reconfigured
	for i, f := range files {
		select {
		case err := <-orders[i].done:
			if errors.Is(err, errNothingTo) {
				continue
			}
			p.mu.RLock()
			name := f.describe(time.Now()).Name
			p.mu.RUnlock()
			all = append(all, Reconfigured{Plugin: name, File: f.name, Err: err})
		case <-f.ended:
		case <-ctx.Done():
			return all, ctx.Err()
		}
	}
	return all, nil
}

// proveSettings compares the version that serves with itself under new settings.
// That documents differ is what the operator wants; that they can't be written
// any more is not.
func (f *file) proveSettings(ctx context.Context, r *running) error {
	if f.active == nil || f.active.settings == r.settings && f.active.confinement == r.confinement {
		return nil
	}
	c, err := f.plugins.compare(ctx, f.name, f.active, r)
	if err != nil {
		return err
	}
	f.setComparison(&c)
	if broken := c.Broken(); broken != "" {
		return fmt.Errorf("%w: with them, %s; %s", errSettings, broken, correct(r.description.Name))
	}
	return nil
}

// restart starts the plugin anew, or again if it does not run.
func (f *file) restart(ctx context.Context) error {
	before := f.active
	if f.attach != nil && before != nil {
		return errors.New("somebody else runs it, and can start it anew")
	}
	f.stale = f.active != nil
	f.backoff.reset()
	f.timer.Stop()
	f.attempt(ctx)
	f.stale = false
	return f.replaced(before)
}

// replaced returns why no other process serves than before, or nil if one does.
// That the file holds a version which does not serve is no reason.
func (f *file) replaced(before *running) error {
	switch {
	case !f.trouble.settings && f.active != nil && f.active != before:
		return nil
	case f.trouble.reason != "":
		return errors.New(f.trouble.reason)
	}
	return errors.New("its file changed meanwhile; see what became of it with \"restante plugins list\"")
}

// reconfigure starts the plugin anew if it should run with other settings than
// it does, or could not run with those that it had.
func (f *file) reconfigure(ctx context.Context) error {
	refused := f.refusal.settings || f.trouble.settings
	if f.active != nil && !refused {
		d := f.active.description
		settings, err := f.plugins.current(f.former(f.active.version))(d)
		same := f.active.confinement == f.plugins.confinement(d.Name)
		if err == nil && same && settings == f.active.settings {
			return errNothingTo
		}
	} else if !refused && f.trouble.again.IsZero() {
		return errNothingTo
	}
	before := f.active
	f.stale = f.active != nil
	f.backoff.reset()
	f.timer.Stop()
	if f.refusal.settings {
		// It is for this content of the file that the settings were no good.
		if err := f.lookAgain(); err != nil {
			return err
		}
		f.refusal = trouble{}
	}
	f.attempt(ctx)
	return f.replaced(before)
}
