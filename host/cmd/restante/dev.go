package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
)

func newPluginDev() *cobra.Command {
	var samples []string
	c := app.DevConfig{Version: programVersion()}
	cmd := &cobra.Command{
		Use:   "dev [DIR]",
		Short: "Build a plugin whenever its source changes, and show how its documents change",
		Long: `Build a plugin whenever its source changes, and show how its documents change.

A daemon is started for the time, on a free port and with a data folder that is
removed in the end, and the sample messages are added to it; --data names a
daemon that runs already instead. Every build is dropped into its plugin folder.
The daemon compares the new version with the one before on the stored messages,
and has it take over, as it does with any plugin.

DIR is the folder of the source, by default the current one. It is built with
"go build", or by the command of --build. End it with Ctrl-C.`,
		Example: `  restante plugin dev ./student-records
  restante plugin dev --build 'make OUT=$OUT' --samples student=testdata/samples.ndjson`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Dir = "."
			if len(args) > 0 {
				c.Dir = args[0]
			}
			var err error
			if c.Samples, err = samplesArgument(samples); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			c.Log = cmd.ErrOrStderr()
			first := true
			return app.DevelopPlugin(cmd.Context(), c, func(r app.DevRound) {
				printRound(out, r)
				if first && r.Key != "" && r.Plugin.State == host.PluginActive {
					first = false
					for _, g := range r.Plugin.Groups {
						fmt.Fprintf(out, "See a document: curl -sS --user haplo:%s %s/api/haplo-integration-messages/poll/%s/fetch\n", r.Key, r.URL, g)
					}
				}
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Build, "build", "", "shell command that builds the plugin to the path in $OUT (default \"go build -o $OUT .\")")
	f.StringArrayVar(&samples, "samples", nil, "GROUP=FILE: messages of a group, as NDJSON (default DIR/samples.ndjson for the only group)")
	f.StringVar(&c.Data, "data", os.Getenv("RESTANTE_DATA"), "data folder of a daemon that runs (RESTANTE_DATA, default: one is started)")
	f.StringVar(&c.Config, "config", "", "configuration file of the daemon that is started, for the plugin's settings")
	return cmd
}

// printRound says what became of a build.
func printRound(w io.Writer, r app.DevRound) {
	switch p := r.Plugin; {
	case r.Build != "":
		fmt.Fprintf(w, "The build failed:\n%s\n", indent(r.Build))
		return
	case r.Same:
		fmt.Fprintln(w, "Built; it is the same program as before.")
		return
	case p.Digest == p.Content:
		fmt.Fprintf(w, "Built; %s %s serves %s.\n", p.Name, cell(p.Version, 64), join(p.Groups))
	default:
		fmt.Fprintf(w, "Built, but it does not serve: %s\n", cell(p.Reason, 2000))
		if p.LastExit != nil && p.PID == 0 {
			fmt.Fprintln(w, indent(strings.Join(p.LastExit.Stderr, "\n")))
		}
	}
	if c := r.Plugin.Comparison; c != nil && c.ToDigest == r.Plugin.Content {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		printComparison(table, *c)
		table.Flush()
	}
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
