package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
	"github.com/restante/restante/host/control"
)

func newSend() *cobra.Command {
	var flags clientFlags
	var test string
	cmd := &cobra.Command{
		Use:   "send GROUP",
		Short: "Send what is outstanding of a group now",
		Long: `Send what is outstanding of a group now, and wait until all of it is sent, or an
attempt has failed. It also ends the pause after a failed attempt. If the group is
being sent already the command joins in. If it is called off the daemon goes on.

With --test a batch of the messages that would be sent next goes to another URL,
without the credentials of the configuration; nothing is recorded or marked.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.withGroup(cmd.Context(), args[0], func(c *control.Client, g host.GroupName) error {
				if test != "" {
					return sendTest(cmd, &flags, c, g, test)
				}
				r, err := c.Send(cmd.Context(), g)
				if err != nil {
					return err
				}
				if err := flags.print(cmd.OutOrStdout(), r, func(w io.Writer) { fmt.Fprintln(w, sentText(r)) }); err != nil || r.State == host.SendIdle {
					return err
				}
				return notSent(r)
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&test, "test", "", "send a test batch to this URL instead, and mark nothing")
	cmd.AddCommand(
		newSendChange(&flags, "status GROUP", "Show how sending is", "", (*control.Client).SendStatus),
		newSendChange(&flags, "pause GROUP", "Send nothing of a group until it is resumed",
			"Send nothing of a group until it is resumed. An attempt that is being made is finished.", (*control.Client).PauseSending),
		newSendChange(&flags, "resume GROUP", "Go on with a group that was paused or blocked, or given up on",
			`Go on with a group that was paused or blocked, or given up on. The batch that was on
its way is sent again as it was, unless it is certain that the receiver has not got it:
then it is formatted anew.`, (*control.Client).ResumeSending),
	)
	return cmd
}

func sentText(r host.SendResult) string {
	if r.Batches == 0 {
		return "Nothing was sent."
	}
	return fmt.Sprintf("Sent %s in %s.", counted(r.Messages, "message"), counted(r.Batches, "batch"))
}

func counted(n uint64, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun == "batch":
		noun = "batche"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// notSent says why not all is sent, and what to do.
func notSent(r host.SendResult) error {
	err := fmt.Errorf("%s is not all sent: it is %s: %s", r.Group, r.State, cell(r.Reason, 2000))
	switch {
	case r.State == host.SendOff:
		return &app.HintError{Err: err, Hint: "README.md says how sending is configured, and docs/cluster.md how several daemons send"}
	case r.State.Halted():
		return &app.HintError{Err: err, Hint: fmt.Sprintf("mend what is wrong, and run: restante send resume %s", r.Group)}
	case !r.Next.IsZero():
		return &app.HintError{Err: err, Hint: "the daemon tries again by itself at " + when(r.Next)}
	}
	return err
}

func sendTest(cmd *cobra.Command, flags *clientFlags, c *control.Client, g host.GroupName, to string) error {
	a, err := c.SendTest(cmd.Context(), g, to)
	if err != nil {
		return err
	}
	if err := flags.print(cmd.OutOrStdout(), a, func(w io.Writer) { printAttempt(w, a) }); err != nil {
		return err
	}
	if a.Outcome != host.AttemptSent {
		return fmt.Errorf("the test batch was not accepted: %s", cell(a.Error, 2000))
	}
	return nil
}

func newSendChange(flags *clientFlags, use, short, long string, call func(*control.Client, context.Context, host.GroupName) (host.SendStatus, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.withGroup(cmd.Context(), args[0], func(c *control.Client, g host.GroupName) error {
				s, err := call(c, cmd.Context(), g)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), s, func(w io.Writer) { printSending(w, s) })
			})
		},
	}
}

func printSending(w io.Writer, s host.SendStatus) {
	row(w, "State:", s.State)
	if s.Reason != "" {
		row(w, "Reason:", cell(s.Reason, 2000))
	}
	row(w, "To:", orDash(cell(s.URL, 200)))
	row(w, "Outstanding:", s.Outstanding)
	if s.Delivery != "" {
		row(w, "On its way:", fmt.Sprintf("%s, %s, %s", s.Delivery, counted(s.Count, "message"), counted(uint64(s.Attempts), "failed attempt")))
		row(w, "Next attempt:", when(s.Next))
	}
	if s.Schedule != "" {
		row(w, "Schedule:", fmt.Sprintf("%s (%s), next %s", cell(s.Schedule, 200), s.TimeZone, when(s.NextRun)))
	}
	if s.Breaker != "" && s.Breaker != "closed" {
		row(w, "Breaker:", fmt.Sprintf("%s until %s", s.Breaker, when(s.BreakerUntil)))
	}
	for _, a := range s.Last {
		printAttempt(w, a)
	}
}

// printAttempt shows one attempt in two lines.
func printAttempt(w io.Writer, a host.Attempt) {
	what := string(a.Outcome)
	if a.Status != 0 {
		what = fmt.Sprintf("%s (%d)", what, a.Status)
	}
	row(w, "Attempt:", fmt.Sprintf("%s  %s  %s %s  %s  %s", when(a.Time), what, a.Method, cell(a.URL, 200), orDash(a.Address), a.Took.Round(time.Millisecond)))
	if a.Error != "" {
		row(w, "", cell(a.Error, 1000))
	}
	if a.Answer != "" && a.Outcome != host.AttemptSent {
		row(w, "", cell(a.Answer, 500))
	}
}

// sendingCell is a few words about sending, for a table.
func sendingCell(q control.Queue) string {
	switch {
	case q.Sending == nil:
		return "-"
	case q.Sending.State == host.SendIdle && !q.Sending.NextRun.IsZero():
		return "idle, next " + when(q.Sending.NextRun)
	}
	return string(q.Sending.State)
}
