package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host/control"
	"github.com/restante/restante/host/formatter"
)

// Load reads the settings of a daemon from wherever they are. What is wrong with
// them in detail is written to w.
type Load func(w *bytes.Buffer) (Config, error)

// settled holds the configuration as it was read last. It is safe for concurrent
// use.
type settled struct {
	reloading sync.Mutex // held while a configuration takes effect

	mu     sync.RWMutex
	config Config
}

func (s *settled) current() Config {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.config
}

func (s *settled) set(c Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config = c
}

// plugin returns what is decided about a plugin.
func (s *settled) plugin(name string) formatter.Options {
	c := s.current()
	o := c.PluginOptions[name]
	o.Sample = *c.Sample
	if share, ok := c.Samples[name]; ok {
		o.Sample = share
	}
	return o
}

// load reads the settings and fills in the defaults.
func load(read Load) (Config, error) {
	var details bytes.Buffer
	c, err := read(&details)
	if err == nil {
		err = c.complete()
	}
	if err != nil && details.Len() > 0 {
		err = fmt.Errorf("%w\n\n%s", err, strings.TrimSpace(details.String()))
	}
	return c, err
}

// reload reads the configuration again and has it take effect. If it can't be
// used nothing changes.
func (d *daemon) reload(ctx context.Context) (control.Reloaded, error) {
	d.settled.reloading.Lock()
	defer d.settled.reloading.Unlock()
	c, err := load(d.load)
	if err != nil {
		return control.Reloaded{}, err
	}
	before := d.settled.current()
	connect, err := d.outlets.prepare(c.Endpoints)
	if err != nil {
		return control.Reloaded{}, err
	}
	if err := d.parts.exchange.Queues.Configure(ctx, c.Queues); err != nil {
		return control.Reloaded{}, err
	}
	r := control.Reloaded{Restart: keepFixed(&c, before)}
	d.settled.set(c)
	connect()
	d.sender.Reconfigure()
	d.log.SetLevel(hclog.LevelFromString(c.LogLevel))
	plugins, err := d.plugins.Reconfigure(ctx)
	select {
	case d.reloaded <- struct{}{}:
	default:
	}
	for _, p := range plugins {
		shown := control.ReloadedPlugin{Name: p.Plugin, File: p.File}
		if p.Err != nil {
			shown.Error = p.Err.Error()
		}
		r.Plugins = append(r.Plugins, shown)
	}
	d.log.Info("configuration reloaded", "plugins_changed", len(r.Plugins))
	if len(r.Restart) > 0 {
		d.log.Warn("settings changed that need a restart", "settings", r.Restart)
	}
	return r, err
}

// keepFixed puts back what only a start can change, and returns its names.
func keepFixed(c *Config, before Config) (changed []string) {
	for _, s := range []struct {
		name   string
		to     *string
		before string
	}{
		{"listen", &c.Listen, before.Listen},
		{"data", &c.Data, before.Data},
		{"plugins", &c.Plugins, before.Plugins},
		{"log_format", &c.LogFormat, before.LogFormat},
		{"plugins_lock", &c.PluginsLock, before.PluginsLock},
		{"sandbox", &c.Sandbox, before.Sandbox},
		{"url", &c.URL, before.URL},
	} {
		if *s.to != s.before {
			changed = append(changed, s.name)
			*s.to = s.before
		}
	}
	if !slices.Equal(c.Readable, before.Readable) {
		changed = append(changed, "readable")
		c.Readable = before.Readable
	}
	if !reflect.DeepEqual(c.Store, before.Store) {
		changed = append(changed, "store")
		c.Store = before.Store
	}
	if !reflect.DeepEqual(c.SignIn, before.SignIn) {
		changed = append(changed, "sign_in")
		c.SignIn = before.SignIn
	}
	return changed
}

// reloadOnHangup reloads when the daemon gets SIGHUP, until ctx is over.
func (d *daemon) reloadOnHangup(ctx context.Context) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		r, err := d.reload(ctx)
		if err != nil {
			// Below the first line are lines of the file, perhaps with secrets.
			reason, _, _ := strings.Cut(err.Error(), "\n")
			d.log.Error("configuration not reloaded, all stays as it was; \"restante reload\" shows the lines", "error", reason)
		}
		for _, p := range r.Plugins {
			if p.Error != "" {
				d.log.Error("plugin does not run with its new settings", "file", p.File, "plugin", p.Name, "error", p.Error)
			}
		}
	}
}
