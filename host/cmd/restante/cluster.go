package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
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
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the nodes, the leaders, and who lags behind",
		Long: `Show the nodes, the leaders, and who lags behind.

With --wait the command waits until there is nothing to look at, also for the daemon to
start, and fails if there still is something after that time: the next node may be
restarted when it is done.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := awaitCluster(cmd, flags, wait)
			if s.Node != "" {
				err = errors.Join(flags.print(cmd.OutOrStdout(), s, func(w io.Writer) { printCluster(w, s) }), err)
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so long at most, such as 5m, until there is nothing to look at")
	return cmd
}

// awaitCluster returns how the servers are, at once or when there is nothing to look
// at.
func awaitCluster(cmd *cobra.Command, flags *clientFlags, wait time.Duration) (s host.ClusterStatus, err error) {
	ctx := cmd.Context()
	deadline := time.Now().Add(wait)
	said := ""
	for {
		s = host.ClusterStatus{}
		err = flags.with(ctx, func(c *control.Client) (err error) {
			s, err = c.Cluster(ctx)
			return err
		})
		if refused, ok := errors.AsType[*control.Error](err); wait <= 0 || ok && refused.Status == http.StatusNotFound {
			return s, err // there is no cluster to wait for
		}
		now := s
		now.Advice = "" // which no waiting helps against
		wrong := now.Wrong()
		if err == nil && len(wrong) == 0 {
			return s, nil
		}
		if err != nil {
			wrong = []string{err.Error()}
		}
		if !time.Now().Before(deadline) {
			return s, &app.HintError{
				Err:  fmt.Errorf("after %s there still is something to look at: %s", wait, cell(strings.Join(wrong, "; "), 1000)),
				Hint: "restart no other node before that is mended, or it may take the cluster down",
			}
		}
		if wrong[0] != said {
			said = wrong[0]
			fmt.Fprintln(cmd.ErrOrStderr(), "waiting:", cell(said, 300))
		}
		select {
		case <-time.After(min(time.Until(deadline), 500*time.Millisecond)):
		case <-ctx.Done():
			return s, ctx.Err()
		}
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
			case f.Lag > 0:
				text += fmt.Sprintf(" (%d behind)", f.Lag)
			}
			followers = append(followers, text)
		}
		if stream.Missing > 0 {
			followers = append(followers, fmt.Sprintf("%d missing", stream.Missing))
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
