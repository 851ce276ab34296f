package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
)

func newCluster() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Show how the servers are that daemons share, and remove a node",
		Long: `Show how the servers are that daemons share, and remove a node that left for good.
docs/cluster.md tells how a cluster is run.`,
	}
	flags.add(cmd)
	return family(cmd, newClusterStatus(&flags), newClusterRemove(&flags))
}

func newClusterStatus(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the nodes, the leaders, and who lags behind",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				s, err := c.Cluster(cmd.Context())
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), s, func(w io.Writer) { printCluster(w, s) })
			})
		},
	}
}

func printCluster(w io.Writer, s host.ClusterStatus) {
	row(w, "This daemon works with:", s.Node)
	row(w, "On disk before an answer:", s.Durability)
	for _, wrong := range s.Wrong() {
		row(w, "Look at:", cell(wrong, 300))
	}
	row(w)
	if len(s.Nodes) > 0 {
		row(w, "NODE", "ADDRESS", "STATE", "LAG", "STORED")
		for _, n := range s.Nodes {
			state := "up"
			if !n.Up {
				state = "down"
			}
			if n.Name == s.Leader {
				state += ", leader"
			}
			row(w, n.Name, orDash(n.Address), state, n.Lag, fmt.Sprintf("%d MiB", n.Stored>>20))
		}
		row(w)
	}
	row(w, "STREAM", "GROUP", "LEADER", "FOLLOWERS")
	for _, stream := range s.Streams {
		var followers []string
		for _, f := range stream.Followers {
			text := f.Node
			switch {
			case !f.Up:
				text += " (down)"
			case !f.Current:
				text += fmt.Sprintf(" (%d behind)", f.Lag)
			}
			followers = append(followers, text)
		}
		row(w, stream.Name, orDash(string(stream.Group)), orDash(stream.Leader), orDash(strings.Join(followers, ", ")))
	}
}

func newClusterRemove(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NODE",
		Short: "Take a node out of the cluster that left for good",
		Long: `Take a node out of the cluster that left for good, such as one whose disk is lost. It
does not count any more then when most of the nodes have to agree. It must be stopped.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				if err := c.RemoveNode(cmd.Context(), args[0]); err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), struct{}{}, func(w io.Writer) { fmt.Fprintf(w, "removed %s\n", args[0]) })
			})
		},
	}
}
