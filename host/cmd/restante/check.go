package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
)

func newPluginsCheck(flags *clientFlags) *cobra.Command {
	var samples, settings []string
	c := app.CheckConfig{Version: programVersion()}
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Try a plugin before it is installed, and say what is wrong with it",
		Long: `Try a plugin executable, in whatever language it is written, as a daemon would
meet it, and report what was seen and what to do. It needs no daemon and no data
folder, and runs a private copy of the file.

It starts the plugin, asks it for its groups, and has each group that it formats
write empty, large and odd batches. The same batch must always give the same
bytes: it is repeated over two processes, in parallel and after a cancelled call.
In the end the plugin must stop when it is told to, and leave no process behind.

The messages are those of --samples, one file of NDJSON for a group; without it
JSON objects are made up, which a plugin may well reject.

The exit status is 0 if nothing failed, else 1. Warnings are no failures.`,
		Example: `  restante plugins check bin/student-records --samples student=samples.ndjson
  restante plugins check ./plugin --repeats 1000 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Path = args[0]
			var err error
			if c.Samples, err = samplesArgument(samples); err != nil {
				return err
			}
			if c.Settings, err = settingsArgument(settings); err != nil {
				return err
			}
			if c.Repeats < 2 || c.Repeats > 10_000 {
				return fmt.Errorf("--repeats must be from 2 to 10000")
			}
			if c.CallTimeout < time.Millisecond {
				return fmt.Errorf("--timeout must be more than 0")
			}
			progress := newProgress(cmd.ErrOrStderr(), "checking: ")
			c.Progress = progress.step
			report, err := app.CheckPlugin(cmd.Context(), c)
			progress.end()
			if err != nil {
				return err
			}
			if flags.json {
				err = flags.print(cmd.OutOrStdout(), report, nil)
			} else {
				err = report.WriteText(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
			if report.Failed() {
				return fmt.Errorf("the plugin %s did not pass", c.Path)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&samples, "samples", nil, "GROUP=FILE: messages of a group, as NDJSON; may be repeated")
	f.StringArrayVar(&settings, "set", nil, "NAME=VALUE: a setting of the plugin; may be repeated")
	f.IntVar(&c.Repeats, "repeats", app.DefaultRepeats, "how often a batch is formatted to see that the bytes are the same")
	f.StringVar(&c.Sandbox, "sandbox", "best-effort", "run it in the daemon's sandbox: enforce, best-effort or off")
	f.DurationVar(&c.CallTimeout, "timeout", 30*time.Second, "how long a call may take")
	return cmd
}

func samplesArgument(all []string) (map[host.GroupName]string, error) {
	samples := make(map[host.GroupName]string, len(all))
	for _, s := range all {
		name, file, ok := strings.Cut(s, "=")
		if !ok || file == "" {
			return nil, &app.HintError{Err: fmt.Errorf("--samples %q is not GROUP=FILE", s), Hint: "for example: --samples student=samples.ndjson"}
		}
		g, err := groupArgument(name)
		if err != nil {
			return nil, err
		}
		if _, twice := samples[g]; twice {
			return nil, fmt.Errorf("--samples names the group %s twice", g)
		}
		samples[g] = file
	}
	return samples, nil
}

// settingsArgument reads NAME=VALUE. A value that is a JSON number, bool or string
// is one; anything else is a string as it stands.
func settingsArgument(all []string) (map[string]json.RawMessage, error) {
	settings := make(map[string]json.RawMessage, len(all))
	for _, s := range all {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, &app.HintError{Err: fmt.Errorf("--set %q is not NAME=VALUE", s), Hint: "for example: --set delimiter=\";\""}
		}
		if _, twice := settings[name]; twice {
			return nil, fmt.Errorf("--set names the setting %s twice", name)
		}
		var v any
		_ = json.Unmarshal([]byte(value), &v) // if it is no JSON, v stays nil
		switch v.(type) {
		case string, float64, bool:
		default:
			v = value
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		settings[name] = text
	}
	return settings, nil
}

// patience is how long a command is silent before it shows what it is doing.
const patience = time.Second

// progress shows the current step of a long command on a terminal, in one line
// that is gone in the end. Elsewhere it shows nothing.
type progress struct {
	w      io.Writer
	prefix string
	timer  *time.Timer

	mu    sync.Mutex
	now   string
	shown bool
	ended bool
}

func newProgress(w io.Writer, prefix string) *progress {
	p := &progress{w: w, prefix: prefix}
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		p.ended = true
		return p
	}
	p.timer = time.AfterFunc(patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.shown = true
		p.draw()
	})
	return p
}

func (p *progress) step(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = name
	if p.shown {
		p.draw()
	}
}

// draw writes the line anew. A line that wrapped could not be taken back.
func (p *progress) draw() {
	if !p.ended {
		fmt.Fprintf(p.w, "\r\x1b[K%s", cell(p.prefix+p.now, 70))
	}
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.shown && !p.ended {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.ended = true
}
