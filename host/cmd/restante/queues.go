package main

import (
	"fmt"
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
					row(w, "GROUP", "METHOD", "UNREAD", "READ", "HELD", "SENDING", "WRITTEN BY", "TITLE")
					for _, q := range all {
						row(w, q.Group, q.Method, q.Unread, q.Read, q.Held, sendingCell(q), format(q.Queue), cell(q.Title, 40))
					}
					for _, q := range all {
						if q.Sending != nil && q.Sending.Reason != "" {
							fmt.Fprintf(w, "%s: %s\n", q.Group, cell(q.Sending.Reason, 500))
						}
					}
				})
			})
		},
	}
	flags.add(cmd)
	cmd.AddCommand(newQueuesRelease(&flags))
	return cmd
}

func newQueuesRelease(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "release GROUP",
		Short: "Give the group of a plugin that is gone to another plugin",
		Long: `Give the group of a plugin that is gone to the plugin that declares it next.

A group belongs to the plugin that declared it first, also while that plugin is
missing or broken: its messages must not leave in another plugin's format
unnoticed. Remove the plugin's file before its group can be released.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.withGroup(cmd.Context(), args[0], func(c *control.Client, g host.GroupName) error {
				q, err := c.Release(cmd.Context(), g)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), q, func(w io.Writer) {
					fmt.Fprintf(w, "released %s from the plugin %s\n", q.Group, q.Plugin)
				})
			})
		},
	}
}

func format(q host.Queue) string {
	if q.Formats {
		return q.Plugin
	}
	return "default JSON"
}
