package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
	"github.com/restante/restante/host/control"
)

func newErrors() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "errors",
		Short: "Show what is wrong, and acknowledge it",
		Long: `Show what is wrong, and acknowledge it.

Messages that wait too long, pollers that stay away or mark nothing, plugins that
are out of service and a full disk are over by themselves when their cause is.
What merely happened stays until somebody acknowledges it. The same thing is one
error that counts, however often it happens.`,
	}
	flags.add(cmd)
	return family(cmd, newErrorsList(&flags), newErrorsShow(&flags),
		newErrorsChange(&flags, "acknowledge", "Say that errors were seen",
			"Say that errors were seen. What lasts goes on counting without being listed as new,\nand is done with when it is over; anything else is done with at once.",
			(*control.Client).AcknowledgeError),
		newErrorsChange(&flags, "reopen", "Have errors count as not seen",
			"Have errors count as not seen. They stay until they are acknowledged, also if\nwhat was wrong is over.",
			(*control.Client).ReopenError))
}

func newErrorsList(flags *clientFlags) *cobra.Command {
	var all bool
	var before uint64
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what is wrong, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				all := all || before != 0
				reports, err := c.Errors(cmd.Context(), all, before, limit)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), reports, func(w io.Writer) { printReports(w, reports, all, limit) })
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that are done with")
	cmd.Flags().Uint64Var(&before, "before", 0, "list on from this number, which the end of a list with --all names")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many of those that are done with, from 1 to 1000")
	return cmd
}

func printReports(w io.Writer, reports []host.ListedReport, all bool, limit int) {
	if len(reports) == 0 && all {
		row(w, "Nothing was ever wrong, or it was long ago.")
		return
	}
	if len(reports) == 0 {
		row(w, "Nothing is wrong. What was: restante errors list --all")
		return
	}
	row(w, "LAST", "TIMES", "STATE", "KIND", "ABOUT", "ID", "WHAT")
	done, oldest := 0, uint64(0)
	for _, r := range reports {
		if r.Number != 0 {
			done, oldest = done+1, r.Number
		}
		row(w, when(r.Last), r.Times, reportState(r.ErrorReport, r.Number != 0), r.Kind, orDash(cell(about(r.ErrorReport), 40)), r.ID, cell(r.Title, 120))
	}
	if done == limit {
		fmt.Fprintf(w, "Older ones: --before %d\n", oldest)
	}
}

// about names the queue or the plugin.
func about(r host.ErrorReport) string {
	if r.Plugin != "" && r.Group != "" {
		return fmt.Sprintf("%s, %s", r.Group, r.Plugin)
	}
	return string(r.Group) + r.Plugin
}

func reportState(r host.ErrorReport, done bool) string {
	switch {
	case done && r.Unacknowledged():
		return "over"
	case done:
		return "done"
	case !r.Unacknowledged():
		return "seen"
	case !r.Ended.IsZero():
		return "over, reopened"
	case r.Reopened:
		return "reopened"
	}
	return "new"
}

func newErrorsShow(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show all that is known of an error",
		Long:  "Show all that is known of an error. This may quote messages, so it is noted in the\naudit log.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				r, err := c.Error(cmd.Context(), args[0])
				if err != nil {
					return noError(err, args[0])
				}
				return flags.print(cmd.OutOrStdout(), r, func(w io.Writer) { printReport(w, r) })
			})
		},
	}
}

func printReport(w io.Writer, r host.ErrorReport) {
	row(w, "Error:", r.ID)
	row(w, "What:", cell(r.Title, 500))
	row(w, "Kind:", r.Kind)
	if r.Group != "" {
		row(w, "Group:", r.Group)
	}
	if r.Plugin != "" {
		row(w, "Plugin file:", cell(r.Plugin, 255))
	}
	row(w, "Times:", fmt.Sprintf("%d, first %s, last %s", r.Times, when(r.First), when(r.Last)))
	switch {
	case !r.Ended.IsZero():
		row(w, "Over:", "since "+when(r.Ended))
	case r.Lasting:
		row(w, "Over:", "not yet")
	}
	if r.Unacknowledged() {
		row(w, "Seen:", "by nobody yet")
	} else {
		row(w, "Seen:", fmt.Sprintf("%s by %s", when(r.Acknowledged), cell(r.AcknowledgedBy, 255)))
	}
	for _, m := range r.Messages {
		row(w, fmt.Sprintf("Message %d:", m.ID), cell(m.Reason, 1000))
	}
	if r.Details != "" {
		fmt.Fprintln(w)
		for line := range strings.Lines(r.Details) {
			fmt.Fprintln(w, cell(strings.TrimRight(line, "\n"), 2000))
		}
	}
}

func newErrorsChange(flags *clientFlags, name, short, long string, change func(*control.Client, context.Context, string) (host.ErrorReport, error)) *cobra.Command {
	return &cobra.Command{
		Use:   name + " ID...",
		Short: short,
		Long:  long,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				changed := []host.ErrorReport{}
				var failed error
				for _, id := range args {
					r, err := change(c, cmd.Context(), id)
					if err != nil {
						failed = noError(err, id)
						break
					}
					changed = append(changed, r)
				}
				err := flags.print(cmd.OutOrStdout(), changed, func(w io.Writer) {
					for _, r := range changed {
						fmt.Fprintln(w, outcome(r))
					}
				})
				return errors.Join(err, failed)
			})
		},
	}
}

// outcome says what became of a report.
func outcome(r host.ErrorReport) string {
	switch {
	case r.Unacknowledged() && r.Reopened:
		return fmt.Sprintf("reopened %s", r.ID)
	case r.Unacknowledged():
		return fmt.Sprintf("%s is over already", r.ID)
	case r.Lasting && r.Ended.IsZero():
		return fmt.Sprintf("acknowledged %s, which stays until it is over", r.ID)
	}
	return fmt.Sprintf("acknowledged %s", r.ID)
}

// noError adds what to do about an id that does not exist.
func noError(err error, id string) error {
	if e, ok := errors.AsType[*control.Error](err); ok && e.Status == http.StatusNotFound {
		return &app.HintError{Err: fmt.Errorf("there is no error with the id %q", id), Hint: "\"restante errors list\" shows the ids"}
	}
	return err
}
