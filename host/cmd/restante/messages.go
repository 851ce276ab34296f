package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
)

func newMessages() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "messages",
		Short: "List, look at, preview, hold, hand out again and prune messages",
	}
	flags.add(cmd)
	return family(cmd, newMessagesList(&flags), newMessagesShow(&flags), newMessagesPreview(&flags),
		newMessagesMove(&flags, "unread", "Make messages unread, so that they are handed out again in their old place",
			"Make messages unread that were read or held. They are handed out again, each in its\nold place.",
			"Made unread", (*control.Client).MakeUnread),
		newMessagesMove(&flags, "hold", "Keep messages back, such as one that a plugin can't format",
			"Keep messages back: they are not handed out until \"restante messages unread\"\nreleases them. This lets the rest of a queue go on when a plugin rejects a message.",
			"Held", (*control.Client).Hold),
		newMessagesPrune(&flags))
}

func newMessagesList(flags *clientFlags) *cobra.Command {
	var before uint64
	var limit int
	var status []string
	cmd := &cobra.Command{
		Use:   "list GROUP",
		Short: "List a group's messages, newest first",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var only []host.Status
			for _, text := range status {
				s, err := host.ParseStatus(text)
				if err != nil {
					return err
				}
				only = append(only, s)
			}
			return flags.withGroup(cmd.Context(), args[0], func(c *control.Client, g host.GroupName) error {
				all, err := listMessages(cmd.Context(), c, g, host.ID(before), limit, only)
				if err != nil {
					return err
				}
				err = flags.print(cmd.OutOrStdout(), all, func(w io.Writer) {
					if len(all) == 0 {
						row(w, "No messages.")
						return
					}
					row(w, "ID", "ADDED", "STATUS", "IDEMPOTENCY KEY", "DATA")
					for _, m := range all {
						data := string(m.Data[:min(len(m.Data), 400)])
						if m.Damaged {
							data = "damaged"
						}
						row(w, m.ID, when(m.Time), m.Status, orDash(cell(m.Key, 20)), cell(data, 80))
					}
				})
				if len(all) == limit && all[limit-1].ID > 1 {
					fmt.Fprintf(cmd.ErrOrStderr(), "Older ones: restante messages list %s --before %d\n", g, all[limit-1].ID)
				}
				return err
			})
		},
	}
	cmd.Flags().Uint64Var(&before, "before", 0, "only messages with a smaller id")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many, from 1 to 1000")
	cmd.Flags().StringSliceVar(&status, "status", nil, "only messages that are unread, read or held; several with commas")
	return cmd
}

// listMessages asks until it has the limit: a list of large messages comes in parts.
func listMessages(ctx context.Context, c *control.Client, g host.GroupName, before host.ID, limit int, only []host.Status) ([]control.Message, error) {
	all := []control.Message{}
	for {
		part, err := c.Messages(ctx, g, before, limit-len(all), only...)
		all = append(all, part...)
		if err != nil || len(part) == 0 || len(all) == limit || part[len(part)-1].ID == 1 {
			return all, err
		}
		before = part[len(part)-1].ID
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func newMessagesShow(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show GROUP ID",
		Short: "Print one message as it is stored, and the deliveries that carried it",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := groupArgument(args[0])
			if err != nil {
				return err
			}
			id, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil {
				return fmt.Errorf("%q is not a message id", args[1])
			}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				m, err := c.Message(cmd.Context(), g, host.ID(id))
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), m, func(w io.Writer) {
					row(w, "Id:", m.ID)
					row(w, "Added:", m.Time.Format(time.RFC3339Nano))
					row(w, "Status:", m.Status)
					row(w, "Idempotency key:", orDash(cell(m.Key, host.MaxKeyBytes)))
					var pretty bytes.Buffer
					if json.Indent(&pretty, m.Data, "", "  ") == nil {
						fmt.Fprintln(w, pretty.String())
					}
					if len(m.Deliveries) > 0 {
						printDeliveries(w, m.Deliveries)
					}
				})
			})
		},
	}
}

func newMessagesPreview(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "preview GROUP IDS",
		Short:   "Print messages as their receiver would get them",
		Example: "  restante messages preview student 1-16,20",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, ids, err := groupAndIDs(args)
			if err != nil {
				return err
			}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				body, err := c.Preview(cmd.Context(), g, ids)
				if err == nil {
					_, err = cmd.OutOrStdout().Write(body)
				}
				return err
			})
		},
	}
}

// newMessagesMove makes a command that gives messages another status.
func newMessagesMove(flags *clientFlags, name, short, long, done string,
	move func(*control.Client, context.Context, host.GroupName, host.Ranges) (control.Changed, error)) *cobra.Command {
	return &cobra.Command{
		Use:     name + " GROUP IDS",
		Short:   short,
		Long:    long,
		Example: "  restante messages " + name + " student 1-16,20",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, ids, err := groupAndIDs(args)
			if err != nil {
				return err
			}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				changed, err := move(c, cmd.Context(), g, ids)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), changed, func(w io.Writer) {
					fmt.Fprintf(w, "%s: %d, Unread: %d\n", done, changed.Count, changed.Unread)
				})
			})
		},
	}
}

func newMessagesPrune(flags *clientFlags) *cobra.Command {
	var before string
	cmd := &cobra.Command{
		Use:     "prune GROUP --before TIME",
		Short:   "Delete read messages for good",
		Long:    "Delete the read messages that were added before a time, for good. Messages that\nare unread or held stay.",
		Example: "  restante messages prune student --before 365d",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := groupArgument(args[0])
			if err != nil {
				return err
			}
			at, err := parseMoment(before, -1)
			if err == nil && at.After(time.Now()) {
				err = fmt.Errorf("%q is in the future", before)
			}
			if err != nil {
				return err
			}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				changed, err := c.Prune(cmd.Context(), g, at)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), changed, func(w io.Writer) { fmt.Fprintf(w, "Deleted: %d\n", changed.Count) })
			})
		},
	}
	cmd.Flags().StringVar(&before, "before", "", "a date such as 2026-01-31, or a distance into the past such as 12h or 365d (required)")
	cmd.MarkFlagRequired("before")
	return cmd
}

func groupAndIDs(args []string) (host.GroupName, host.Ranges, error) {
	g, err := groupArgument(args[0])
	if err != nil {
		return "", host.Ranges{}, err
	}
	ids, err := host.ParseRanges(args[1])
	return g, ids, err
}
