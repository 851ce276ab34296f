package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
)

func newPlugins() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "Look after the formatter plugins",
	}
	flags.add(cmd)
	return family(cmd, newPluginsList(&flags), newPluginsShow(&flags), newPluginsPreview(&flags),
		newPluginsApprove(&flags), newPluginsRollBack(&flags), newPluginsRestart(&flags), newPluginsLock(&flags), newPluginsCheck(&flags))
}

func newPluginsList(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the files of the plugin folder, their state and the reason for it",
		Long: `List the files of the plugin folder, their state and the reason for it.

Folders, names that begin with "." or end in "~" or ".tmp", and files that end in
.lock, .json, .md or .txt and are not executable are passed over.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				all, err := c.Plugins(cmd.Context())
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), all, func(w io.Writer) { printPlugins(w, all) })
			})
		},
	}
}

// printPlugins writes a table, and below it in words what is not as it should
// be.
func printPlugins(w io.Writer, all []host.PluginStatus) {
	if len(all) == 0 {
		row(w, "No plugins yet: copy an executable into the plugin folder.")
		return
	}
	row(w, "FILE", "STATE", "PLUGIN", "VERSION", "PID", "RESTARTS", "GROUPS")
	var words []string
	note := func(p host.PluginStatus, text string) { words = append(words, p.File+": "+text) }
	for _, p := range all {
		pid := ""
		if p.PID != 0 {
			pid = strconv.Itoa(p.PID)
		}
		row(w, cell(p.File, 40), p.State, orDash(p.Name), orDash(cell(p.Version, 20)), orDash(pid), p.Restarts, orDash(join(p.Groups)))
		if p.Reason != "" {
			note(p, p.Reason)
		}
		for _, g := range slices.Sorted(maps.Keys(p.Refused)) {
			note(p, fmt.Sprintf("group %s is refused: %s", g, p.Refused[g]))
		}
		if p.Failure != "" {
			note(p, fmt.Sprintf("a call failed at %s: %s", when(p.FailedAt), p.Failure))
		}
	}
	for i, text := range words {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, cell(text, 600))
	}
}
