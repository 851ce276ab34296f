package main

import (
	"cmp"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host/control"
)

func newPlugins() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "Look after the formatter plugins",
		Args:  cobra.NoArgs,
	}
	flags.add(cmd)
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List the files of the plugin folder, their state and the reason for it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				all, err := c.Plugins(cmd.Context())
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), all, func(w io.Writer) {
					if len(all) == 0 {
						row(w, "No plugins yet: copy an executable into the plugin folder.")
						return
					}
					row(w, "FILE", "STATE", "PLUGIN", "VERSION", "PID", "GROUPS", "REASON")
					for _, p := range all {
						pid := any("-")
						if p.PID != 0 {
							pid = p.PID
						}
						reason := p.Reason
						for _, g := range slices.Sorted(maps.Keys(p.Refused)) {
							reason += " " + string(g) + ": " + p.Refused[g]
						}
						row(w, cell(p.File, 40), p.State, cmp.Or(p.Name, "-"), cmp.Or(cell(p.Version, 20), "-"), pid, p.Groups, cell(reason, 300))
					}
				})
			})
		},
	})
	return cmd
}
