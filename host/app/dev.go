package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
)

// DevConfig says which plugin DevelopPlugin works on, and how.
type DevConfig struct {
	// Dir is the folder of the plugin's source.
	Dir string
	// Build is a shell command that is run in Dir and writes the plugin to the
	// path in the environment variable OUT. If it is empty it is
	// "go build -o $OUT .".
	Build string
	// Samples are files with NDJSON messages, by group, that are added when the
	// plugin first runs. Without any, DIR/samples.ndjson is for the plugin's
	// only group.
	Samples map[host.GroupName]string
	// Data is the data folder of a daemon that runs already. If it is empty one
	// is started for the time, with a data folder that is removed in the end.
	Data string
	// Config is the configuration file of the daemon that is started; may be
	// empty.
	Config string
	// Version is this program's version.
	Version string
	// Log gets the log of the daemon that is started.
	Log io.Writer
}

// DevRound is what became of one build.
type DevRound struct {
	// Build is what the build printed, if it failed.
	Build string
	// Same tells that the build gave the same file as the one before.
	Same bool
	// Plugin is the plugin's state in the daemon, unless the build failed.
	Plugin host.PluginStatus
	// URL is where the daemon answers, and Key an API key for all groups, if the
	// daemon was started for this.
	URL, Key string
}

// buildPause gathers what an editor writes at one time into one build.
const buildPause = 150 * time.Millisecond

// DevelopPlugin builds a plugin, drops it into the plugin folder of a daemon,
// which compares it with the build before, and tells the outcome to report; and
// again whenever a file of the source changes, until ctx is over.
func DevelopPlugin(ctx context.Context, c DevConfig, report func(DevRound)) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &HintError{Err: fmt.Errorf("%s is not a folder", c.Dir), Hint: "name the folder of the plugin's source; \"restante plugin new NAME\" writes one"}
	}
	scratch, err := os.MkdirTemp("", "restante-dev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	d := &development{config: c, dir: dir, out: filepath.Join(scratch, "plugin")}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.Data == "" {
		d.config.Data = filepath.Join(scratch, "data")
		done := make(chan struct{})
		go func() {
			defer close(done)
			cancel(Run(ctx, d.settings, c.Version, c.Log))
		}()
		defer func() { cancel(nil); <-done }()
		d.own = true
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	defer watcher.Close()
	if err := d.connect(ctx); err != nil {
		return ended(ctx, err)
	}
	defer d.client.Close()
	return ended(ctx, d.rounds(ctx, watcher, report))
}

// ended returns why the daemon that we started ended, if it did, and nothing if
// we were told to stop.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// development is one run of DevelopPlugin.
type development struct {
	config DevConfig
	dir    string
	out    string // what is built
	own    bool   // the daemon is ours
	client *control.Client
	status control.Status
	key    string
	last   string // the digest of the last build
	added  bool   // the samples were
}

// settings are those of our own daemon.
func (d *development) settings(w *bytes.Buffer) (c Config, err error) {
	if d.config.Config != "" {
		err = ReadConfig(d.config.Config, &c, w)
	}
	c.Listen, c.Data, c.Plugins = "127.0.0.1:0", d.config.Data, filepath.Join(d.config.Data, "plugins")
	c.LogFormat = "text"
	if c.Sandbox == "" {
		c.Sandbox = "best-effort"
	}
	if c.LogLevel == "" {
		c.LogLevel = "warn"
	}
	return c, err
}

// connect waits for the daemon.
func (d *development) connect(ctx context.Context) error {
	d.client = control.Dial(d.config.Data)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var err error
		if d.status, err = d.client.Status(ctx); err == nil && d.status.NotReady == "" {
			break
		}
		if !d.own && err != nil {
			return &HintError{
				Err:  fmt.Errorf("no daemon runs on the data folder %s", d.config.Data),
				Hint: "start it with \"restante serve\", or leave out --data to have one started for the time",
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !d.own {
		return nil
	}
	key, err := d.client.CreateKey(ctx, host.Grant{Groups: []host.GroupName{host.EveryGroup}, Allow: []host.Permission{host.MayPoll, host.MayAdd}})
	d.key = key.Text
	return err
}

// rounds builds now and after every change.
func (d *development) rounds(ctx context.Context, watcher *fsnotify.Watcher, report func(DevRound)) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-watcher.Events:
			if e.Op != fsnotify.Chmod && !hidden(filepath.Base(e.Name)) {
				pause.Reset(buildPause)
			}
			continue
		case <-watcher.Errors:
			pause.Reset(buildPause)
			continue
		case <-pause.C:
		}
		// Folders may have come up since.
		if err := watch(watcher, d.dir); err != nil {
			return err
		}
		round, err := d.round(ctx)
		if err != nil {
			return err
		}
		report(round)
	}
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") }

// watch watches a folder and those below it, without hidden ones and those of
// packages and of what is built.
func watch(watcher *fsnotify.Watcher, dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil // it may be gone again
		}
		switch name := e.Name(); {
		case path == dir:
		case hidden(name), name == "bin", name == "node_modules", name == "__pycache__":
			return filepath.SkipDir
		}
		if err := watcher.Add(path); err != nil {
			return fmt.Errorf("watch %s: %w", path, err)
		}
		return nil
	})
}

// round builds the plugin once and has the daemon take it up.
func (d *development) round(ctx context.Context) (DevRound, error) {
	r := DevRound{URL: d.status.URL, Key: d.key}
	var err error
	if r.Build, err = d.build(ctx); r.Build != "" || err != nil {
		return r, err
	}
	text, err := os.ReadFile(d.out)
	if err != nil {
		return DevRound{Build: fmt.Sprintf("the build command wrote nothing to the path in OUT (%v)", err)}, nil
	}
	sum := sha256.Sum256(text)
	digest := hex.EncodeToString(sum[:])
	if r.Same = digest == d.last; !r.Same {
		if err := d.drop(text); err != nil {
			return r, err
		}
	}
	d.last = digest
	if r.Plugin, err = d.await(ctx, digest); err != nil {
		return r, err
	}
	return r, d.addSamples(ctx, r.Plugin)
}

// build returns what the build printed if it failed.
func (d *development) build(ctx context.Context) (string, error) {
	_ = os.Remove(d.out)
	command := d.config.Build
	if command == "" {
		command = `go build -o "$OUT" .`
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "OUT="+d.out)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return strings.TrimSpace(fmt.Sprintf("%s\n%v", out, err)), nil
	}
	return "", nil
}

// file is the plugin's name in the plugin folder.
func (d *development) file() string { return filepath.Base(d.dir) }

// drop puts the plugin into the folder, complete or not at all.
func (d *development) drop(text []byte) error {
	temporary := filepath.Join(d.status.Plugins, "."+d.file()+".new")
	if err := os.WriteFile(temporary, text, 0o755); err != nil {
		return fmt.Errorf("install the plugin: %w", err)
	}
	if err := os.Rename(temporary, filepath.Join(d.status.Plugins, d.file())); err != nil {
		return fmt.Errorf("install the plugin: %w", err)
	}
	return nil
}

// await waits until the daemon has decided about the file as it is.
func (d *development) await(ctx context.Context, digest string) (host.PluginStatus, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := d.client.Plugins(ctx)
		if err != nil {
			return host.PluginStatus{}, err
		}
		for _, p := range all {
			if p.File == d.file() && p.Content == digest && (p.Reason != "" && p.State != host.PluginStarting || p.Digest == digest) {
				return p, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return host.PluginStatus{}, ctx.Err()
		}
	}
}

// addSamples adds the samples to our own daemon, once the plugin runs.
func (d *development) addSamples(ctx context.Context, p host.PluginStatus) error {
	if !d.own || d.added || p.State != host.PluginActive {
		return nil
	}
	samples := d.config.Samples
	if path := filepath.Join(d.dir, "samples.ndjson"); len(samples) == 0 && len(p.Groups) == 1 {
		if _, err := os.Stat(path); err == nil {
			samples = map[host.GroupName]string{p.Groups[0]: path}
		}
	}
	for g, path := range samples {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read samples: %w", err)
		}
		if _, err := d.client.Add(ctx, host.AddRequest{Group: g, Body: text, Lines: true}); err != nil {
			return fmt.Errorf("add the samples %s: %w", path, err)
		}
	}
	d.added = true
	return nil
}
