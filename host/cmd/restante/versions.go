package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
	"github.com/restante/restante/host/control"
)

func newPluginsShow(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show one plugin: its state, its versions, and how the last two differ",
		Long: `Show one plugin: its state and the reason for it, the versions that its file
held, and how the documents of the newest differ from those of the one before.
NAME is a plugin's or a file's.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				all, err := c.Plugins(cmd.Context())
				if err != nil {
					return err
				}
				for _, p := range all {
					if p.File == args[0] || p.Name == args[0] {
						return flags.print(cmd.OutOrStdout(), p, func(w io.Writer) { printPlugin(w, p) })
					}
				}
				return &app.HintError{Err: fmt.Errorf("no plugin or file %q is in the plugin folder", args[0]), Hint: "\"restante plugins list\" names them"}
			})
		},
	}
}

func printPlugin(w io.Writer, p host.PluginStatus) {
	row(w, "File:", cell(p.File, 255))
	row(w, "State:", p.State)
	if p.Reason != "" {
		row(w, "Reason:", cell(p.Reason, 2000))
	}
	row(w, "Plugin:", orDash(strings.TrimSpace(p.Name+" "+cell(p.Version, 64))))
	row(w, "Groups:", orDash(join(p.Groups)))
	for _, g := range slices.Sorted(maps.Keys(p.Refused)) {
		row(w, "Refused:", fmt.Sprintf("%s: %s", g, p.Refused[g]))
	}
	if p.PID != 0 {
		row(w, "Process:", fmt.Sprintf("%d, since %s, %d restarts", p.PID, when(p.Started), p.Restarts))
	}
	if p.Sandbox != "" {
		row(w, "Sandbox:", cell(p.Sandbox, 300))
	}
	row(w, "SHA-256:", orDash(p.Digest))
	if b := p.Build; b != (host.PluginBuild{}) {
		row(w, "Built from:", orDash(strings.TrimSpace(cell(b.Module+" "+b.Revision, 200))))
		row(w, "Built with:", orDash(strings.TrimSpace(cell(b.Language+", "+b.SDK+goPlugin(b), 200))))
	}
	if u := p.Usage; u.Calls > 0 || u.InFlight > 0 {
		row(w, "Calls:", fmt.Sprintf("%d, of which %d failed and %d rejected messages; %d in flight", u.Calls, u.Failed, u.Rejected, u.InFlight))
		row(w, "Time:", fmt.Sprintf("%s at the median, %s at the 99th percentile", seconds(u.P50), seconds(u.P99)))
	}
	if p.Memory > 0 {
		row(w, "Memory:", fmt.Sprintf("%.1f MiB", float64(p.Memory)/(1<<20)))
	}
	if u := p.Usage; u.Sampled > 0 {
		row(w, "Sampled:", fmt.Sprintf("%d batches formatted once more, %d came out with other bytes", u.Sampled, u.Impure))
	}
	if i := p.Impurity; i != nil {
		row(w, "Not pure:", fmt.Sprintf("%s: %s (messages %s)", when(i.Time), cell(i.Reason, 2000), cell(i.Messages, 200)))
		printLines(w, "the bytes", i.Details)
	}
	if p.Failure != "" {
		row(w, "Last failure:", fmt.Sprintf("%s: %s", when(p.FailedAt), cell(p.Failure, 2000)))
	}
	if e := p.LastExit; e != nil {
		row(w, "Last end:", fmt.Sprintf("%s: %s", when(e.Time), cell(e.Reason, 2000)))
		printLines(w, "stack", strings.Split(strings.TrimSpace(e.Panic), "\n"))
		printLines(w, "standard error", e.Stderr)
	}
	if len(p.Settings) > 0 {
		fmt.Fprintln(w)
		row(w, "SETTING", "TYPE", "VALUE", "FROM", "DESCRIPTION")
		for _, s := range p.Settings {
			row(w, s.Name, s.Type, settingValue(s), settingOrigin(s), cell(s.Description, 100))
		}
	}
	if len(p.Versions) > 0 {
		fmt.Fprintln(w)
		row(w, "VERSION", "FIRST SEEN", "LAST TOOK OVER", "SHA-256", "STATE")
		for _, v := range p.Versions {
			row(w, orDash(cell(v.Version, 30)), when(v.Seen), when(v.Served), orDash(fmt.Sprintf("%.12s", v.Digest)), versionState(p, v))
		}
	}
	if p.Comparison != nil {
		fmt.Fprintln(w)
		printComparison(w, *p.Comparison)
	}
}

func goPlugin(b host.PluginBuild) string {
	if b.GoPlugin == "" {
		return ""
	}
	return ", go-plugin " + b.GoPlugin
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Microsecond).String()
}

// printLines writes what a process has left, indented.
func printLines(w io.Writer, what string, lines []string) {
	if len(lines) == 0 || lines[0] == "" {
		return
	}
	fmt.Fprintf(w, "  %s:\n", what)
	for _, line := range lines {
		fmt.Fprintln(w, "    "+cell(strings.ReplaceAll(line, "\t", "  "), 300))
	}
}

func settingValue(s host.PluginSetting) string {
	switch {
	case s.Secret:
		return "(secret)"
	case len(s.Value) == 0:
		return "-"
	}
	return cell(string(s.Value), 60)
}

func settingOrigin(s host.PluginSetting) string {
	switch {
	case s.Set:
		return "configuration"
	case len(s.Value) > 0:
		return "default"
	}
	return "-"
}

func versionState(p host.PluginStatus, v host.PluginVersion) string {
	switch {
	case v.Quarantined != "":
		return "quarantined: " + cell(v.Quarantined, 200)
	case v.Digest == p.Digest:
		return "active"
	case v.Digest == p.Held:
		return "held"
	}
	return "-"
}

// printComparison writes what two versions make of the same messages.
func printComparison(w io.Writer, c host.Comparison) {
	fmt.Fprintf(w, "Version %s beside version %s, on the newest stored messages:\n", orDash(cell(c.To, 64)), orDash(cell(c.From, 64)))
	if c.Incomplete {
		fmt.Fprintln(w, "  Not all was compared: a version took too long, or the older one ended.")
	}
	for _, g := range c.Groups {
		switch {
		case g.Broken != "":
			fmt.Fprintf(w, "  %s: %s\n", g.Group, cell(g.Broken, 2000))
		case g.Messages == 0 && len(g.Differences) == 0:
			fmt.Fprintf(w, "  %s: no messages are stored to compare on; the empty document is the same\n", g.Group)
		case len(g.Differences) == 0:
			fmt.Fprintf(w, "  %s: %d messages, all documents are the same\n", g.Group, g.Messages)
		default:
			fmt.Fprintf(w, "  %s: %d messages, %d of them are written differently\n", g.Group, g.Messages, g.Changed)
		}
		for _, d := range g.Differences {
			what := "a batch"
			if d.ID != 0 {
				what = fmt.Sprintf("message %d", d.ID)
			}
			fmt.Fprintf(w, "\n  %s, %s:\n", g.Group, what)
			for line := range strings.Lines(d.Diff) {
				fmt.Fprintln(w, "    "+cell(strings.TrimRight(line, "\r\n"), 500))
			}
		}
	}
}

func newPluginsPreview(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "preview FILE",
		Short: "Compare a new version with the active one on stored messages, before it is installed",
		Long: `Start a plugin that is not in the plugin folder, have it and the active plugin of
the same name format the newest stored messages, and show how the documents
differ. Nothing changes.`,
		Example: "  restante plugins preview ./student-records && mv student-records /etc/restante/plugins/",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				compared, err := c.PreviewPlugin(cmd.Context(), path)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), compared, func(w io.Writer) { printComparison(w, compared) })
			})
		},
	}
}

func newPluginsApprove(flags *clientFlags) *cobra.Command {
	return newPluginsDecision(flags, "approve", "approved", "Have the version of a plugin serve that is held",
		`Have the version of a plugin serve that is held: because its documents differ and
the configuration wants approval, because it can't do what the version before
can, or because it was rolled back. NAME is a plugin's or a file's.`,
		(*control.Client).Approve)
}

func newPluginsRollBack(flags *clientFlags) *cobra.Command {
	return newPluginsDecision(flags, "rollback", "rolled back", "Go back to the version of a plugin before the one that serves",
		`Go back to the version of a plugin before the one that serves, which is put in
quarantine: it does not serve again unless it is approved, also after a restart.
NAME is a plugin's or a file's.`,
		(*control.Client).RollBack)
}

func newPluginsRestart(flags *clientFlags) *cobra.Command {
	return newPluginsDecision(flags, "restart", "restarted", "Start a plugin anew",
		`Start a plugin anew, beside the process that serves until then: no poll fails. A
plugin that is backing off is tried again at once. NAME is a plugin's or a file's.`,
		(*control.Client).Restart)
}

// newPluginsDecision makes a command that has something done to one plugin.
func newPluginsDecision(flags *clientFlags, name, done, short, long string,
	decide func(*control.Client, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   name + " NAME",
		Short: short,
		Long:  long,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				if err := decide(c, cmd.Context(), args[0]); err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), struct{}{}, func(w io.Writer) { fmt.Fprintln(w, done, args[0]) })
			})
		},
	}
}

func newPluginsLock(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "lock",
		Short: "Pin the plugins as they are in the folder now",
		Long: `Write the SHA-256 of every plugin in the folder to the file plugins.lock there.
From then on nothing else runs, until "restante plugins lock" is run again or the
file is removed. The setting plugins_lock of the configuration can make the file
a must (require), have others only be logged (warn), or ignore it (off).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				pins, err := c.LockPlugins(cmd.Context())
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), pins, func(w io.Writer) {
					for _, file := range slices.Sorted(maps.Keys(pins)) {
						row(w, pins[file], cell(file, 255))
					}
				})
			})
		},
	}
}
