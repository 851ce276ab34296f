package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
)

func newQueues() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "queues",
		Short: "List the queues with their counts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				all, err := c.Queues(cmd.Context())
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), all, func(w io.Writer) {
					if len(all) == 0 {
						row(w, "No queues yet: drop a plugin into the plugin folder, or put a queue block into the configuration.")
						return
					}
					row(w, "GROUP", "METHOD", "UNREAD", "READ", "HELD", "FORMAT", "TITLE")
					for _, q := range all {
						row(w, q.Group, q.Method, q.Unread, q.Read, q.Held, format(q.Queue), cell(q.Title, 40))
					}
				})
			})
		},
	}
	flags.add(cmd)
	return cmd
}

func format(q host.Queue) string {
	if q.Formats {
		return q.Plugin
	}
	return "default JSON"
}
