package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host/control"
)

func newReload() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the daemon read its configuration again",
		Long: `Have the daemon read its configuration file again, as SIGHUP does. If there is a
mistake in it nothing changes.

A plugin whose settings changed is started anew, beside the process that serves;
if it can't work with them it goes on with those that it had, and the command
fails. Queues, what becomes of messages at fault, and the level of the log change
at once. The command names what takes effect only when the daemon is started again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				r, err := c.Reload(cmd.Context())
				if err != nil {
					return err
				}
				if err := flags.print(cmd.OutOrStdout(), r, func(w io.Writer) { printReloaded(w, r) }); err != nil {
					return err
				}
				for _, p := range r.Plugins {
					if p.Error != "" {
						return fmt.Errorf("the plugin %s does not run with its new settings", p.Name)
					}
				}
				return nil
			})
		},
	}
	flags.add(cmd)
	return cmd
}

func printReloaded(w io.Writer, r control.Reloaded) {
	fmt.Fprintln(w, "The configuration was read again.")
	for _, p := range r.Plugins {
		if p.Error == "" {
			fmt.Fprintf(w, "The plugin %s runs with its new settings.\n", p.Name)
		} else {
			fmt.Fprintf(w, "%s: %s\n", p.File, cell(p.Error, 2000))
		}
	}
	if len(r.Restart) > 0 {
		fmt.Fprintf(w, "Restart the daemon for what changed in: %s\n", strings.Join(r.Restart, ", "))
	}
}
