package formatter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
	"github.com/restante/restante/host/formatter/sandbox"
)

// Config says where plugins are and within which limits they run.
type Config struct {
	// Folder is where the operator puts plugins. It is made if it is missing.
	Folder string
	// Private is where copies of the plugins are kept, named by their SHA-256:
	// these are what is run. It is made if it is missing. Nothing else may be
	// in it, and nobody else may write to it.
	Private string
	// Sockets is the folder for the processes' sockets; "" chooses one: see
	// process.SocketFolder.
	Sockets string
	// Queues learns every group that a plugin declares.
	Queues *host.Queues
	// Records remembers the versions of every plugin file.
	Records host.Records
	// Recent returns the newest messages of a group, oldest first and at most
	// limit, to compare two versions of a plugin on. If it is nil there are
	// none.
	Recent func(ctx context.Context, g host.GroupName, limit int) ([]host.Message, error)
	// Attach names plugins that somebody else runs, such as under a debugger.
	// They have no deadlines, and come before files of the same plugins.
	Attach map[string]Attachment
	// Sandbox says how much of a sandbox plugins must run in, unless Options
	// says otherwise; sandbox.Enforce if empty. Readable are more paths that
	// plugins may read: see sandbox.Config.
	Sandbox  sandbox.Mode
	Readable []string
	// Lock says what to do about files that the lock file does not pin;
	// LockEnforce if empty.
	Lock LockMode
	// Options returns what the operator has decided about a plugin. Call
	// Reconfigure when its answers change. If it is nil nothing was decided.
	Options func(plugin string) Options
	// Observe is called after every call of a plugin that serves; it must be
	// quick. It may be nil.
	Observe func(plugin string, g host.GroupName, took time.Duration, outcome host.CallOutcome)
	// HostVersion is the daemon's version, for the plugins' logs.
	HostVersion string
	Log         hclog.Logger

	// Settle is how long a file must hold still before it is used: 250 ms if
	// 0. Rescan is the time between looks at the folder that no event asks
	// for: 10 s if 0.
	Settle, Rescan time.Duration

	// StartTimeout, DiscoverTimeout, CallTimeout, Grace and MaxMessageBytes
	// limit each process: see process.Config.
	StartTimeout, DiscoverTimeout, CallTimeout, Grace time.Duration
	MaxMessageBytes                                   int

	// A plugin that fails or ends is started again after a random time of up
	// to MinBackoff (250 ms if 0), which doubles each time up to MaxBackoff
	// (30 s if 0). After Budget (8 if 0) failures in a row it is started only
	// every Pause (5 minutes if 0). All begins anew when it was up for Stable
	// (a minute if 0), its file or its settings change, or a person says so.
	MinBackoff, MaxBackoff, Pause, Stable time.Duration
	Budget                                int
	// Trial is how long a new version is on trial: if it crashes or fails too
	// often in that time the version before takes over again. 10 minutes if 0.
	Trial time.Duration
}

// Options is what the operator has decided about one plugin.
type Options struct {
	// Approval: a new version whose documents differ waits for Approve.
	Approval bool
	// Settings are values of the plugin's settings, as JSON, by their names.
	Settings map[string]json.RawMessage
	// Sample is how many of the batches that leave are formatted once more by
	// another process, to see that the bytes are the same: from 0, none, to 1, all
	// of them, as far as there is the time. OnImpure says what is done if the
	// bytes differ: ImpureReport if empty. Impure tells that they may: nothing is
	// checked then.
	Sample   float64
	OnImpure Impure
	Impure   bool
	// Sandbox is the mode for this plugin; Config.Sandbox if empty. Limits bound
	// its process, and Readable are paths that it may read beside
	// Config.Readable. Until a plugin has said its name, what is set for the one
	// that its file was, or is called like, holds.
	Sandbox  sandbox.Mode
	Limits   sandbox.Limits
	Readable []string
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Folder == "", c.Private == "":
		return c, errors.New("plugins config: Folder and Private must be set")
	case c.Queues == nil, c.Records == nil, c.Log == nil:
		return c, errors.New("plugins config: Queues, Records and Log must be set")
	case min(c.Settle, c.Rescan, c.StartTimeout, c.DiscoverTimeout, c.CallTimeout, c.Grace, c.MinBackoff, c.MaxBackoff, c.Pause, c.Stable, c.Trial) < 0:
		return c, errors.New("plugins config: a time is negative")
	case c.Budget < 0:
		return c, errors.New("plugins config: Budget is negative")
	}
	if c.Recent == nil {
		c.Recent = func(context.Context, host.GroupName, int) ([]host.Message, error) { return nil, nil }
	}
	if c.Options == nil {
		c.Options = func(string) Options { return Options{} }
	}
	if c.Observe == nil {
		c.Observe = func(string, host.GroupName, time.Duration, host.CallOutcome) {}
	}
	if _, err := sandbox.ParseMode(string(c.Sandbox)); err != nil {
		return c, fmt.Errorf("plugins config: %w", err)
	}
	c.Sandbox = cmp.Or(c.Sandbox, sandbox.Enforce)
	c.Lock = cmp.Or(c.Lock, LockEnforce)
	c.Trial = cmp.Or(c.Trial, 10*time.Minute)
	var err error
	if c.Folder, err = filepath.Abs(c.Folder); err == nil {
		c.Private, err = filepath.Abs(c.Private)
	}
	if err != nil {
		return c, fmt.Errorf("plugins config: %w", err)
	}
	if c.Folder == c.Private {
		return c, fmt.Errorf("plugins config: Folder and Private are both %s", c.Folder)
	}
	c.Sockets = cmp.Or(c.Sockets, process.SocketFolder())
	c.Settle = cmp.Or(c.Settle, 250*time.Millisecond)
	c.Rescan = cmp.Or(c.Rescan, 10*time.Second)
	c.CallTimeout = cmp.Or(c.CallTimeout, 30*time.Second)
	c.MinBackoff = cmp.Or(c.MinBackoff, 250*time.Millisecond)
	c.MaxBackoff = max(cmp.Or(c.MaxBackoff, 30*time.Second), c.MinBackoff)
	c.Budget = cmp.Or(c.Budget, 8)
	c.Pause = cmp.Or(c.Pause, 5*time.Minute)
	c.Stable = cmp.Or(c.Stable, time.Minute)
	return c, nil
}
