package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
	"github.com/restante/restante/host/control"
)

func newDeliveries() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "Show what left the building, byte for byte",
	}
	flags.add(cmd)
	return family(cmd, newDeliveriesList(&flags), newDeliveriesShow(&flags), newDeliveriesBody(&flags))
}

func newDeliveriesList(flags *clientFlags) *cobra.Command {
	var before uint64
	var limit int
	cmd := &cobra.Command{
		Use:   "list GROUP",
		Short: "List the deliveries of a group, newest first",
		Long: `List the deliveries of a group, newest first. A delivery is one batch of messages
with the very bytes that were made of it, however often it was fetched.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.withGroup(cmd.Context(), args[0], func(c *control.Client, g host.GroupName) error {
				all, err := c.Deliveries(cmd.Context(), g, before, limit)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), all, func(w io.Writer) {
					if len(all) == 0 {
						row(w, "Nothing has left yet.")
						return
					}
					printDeliveries(w, all)
					if len(all) == limit {
						fmt.Fprintf(w, "Older ones: --before %d\n", all[len(all)-1].Number)
					}
				})
			})
		},
	}
	cmd.Flags().Uint64Var(&before, "before", 0, "list on from this number, which the end of a list names")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many, up to 1000")
	return cmd
}

func printDeliveries(w io.Writer, all []host.ListedDelivery) {
	row(w, "FETCHED", "TIMES", "MARKED", "MESSAGES", "BYTES", "PLUGIN", "KEY", "ID")
	for _, d := range all {
		row(w, when(d.Last), d.Fetches, when(d.Marked), cell(d.IDs, 30), d.Size, cell(writer(d.Delivery), 40), orDash(d.By.Key), d.ID)
	}
}

// writer says what wrote a document.
func writer(d host.Delivery) string {
	if d.Plugin == "" {
		return "default format"
	}
	return strings.TrimSpace(d.Plugin + " " + d.Version)
}

func newDeliveriesShow(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show GROUP ID",
		Short: "Show the record of a delivery, and the attempts to send it",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.withGroup(cmd.Context(), args[0], func(c *control.Client, g host.GroupName) error {
				d, err := c.Delivery(cmd.Context(), g, args[1])
				if err != nil {
					return err
				}
				attempts, err := c.Attempts(cmd.Context(), g, d.ID)
				if err != nil {
					return err
				}
				shown := struct {
					host.Delivery
					Attempts []host.Attempt `json:"attempts,omitempty"`
				}{d, attempts}
				return flags.print(cmd.OutOrStdout(), shown, func(w io.Writer) {
					printDelivery(w, d)
					for _, a := range attempts {
						printAttempt(w, a)
					}
				})
			})
		},
	}
}

func printDelivery(w io.Writer, d host.Delivery) {
	row(w, "Delivery:", d.ID)
	row(w, "Group:", d.Group)
	row(w, "Messages:", fmt.Sprintf("%d: %s", d.Count, cell(d.IDs, 2000)))
	row(w, "Document:", fmt.Sprintf("%d bytes, %s, %s", d.Size, cell(d.ContentType, 200), orDash(cell(d.Filename, 255))))
	row(w, "SHA-256:", d.SHA256)
	row(w, "Written by:", writer(d))
	if d.Digest != "" {
		row(w, "Plugin file:", d.Digest)
	}
	row(w, "Fetched:", fmt.Sprintf("%d times, first %s, last %s by %s", d.Fetches, when(d.First), when(d.Last), who(d.By)))
	if d.Marked.IsZero() {
		row(w, "Marked:", "not yet")
	} else {
		row(w, "Marked:", fmt.Sprintf("%s by %s", when(d.Marked), who(d.MarkedBy)))
	}
	if len(d.Rejections) == 0 {
		return
	}
	row(w, "Rejected:", fmt.Sprintf("%s by %s", when(d.Rejected), who(d.RejectedBy)))
	for _, r := range d.Rejections {
		row(w, "", fmt.Sprintf("message %d: %s", r.ID, orDash(cell(r.Reason, host.MaxRejectionBytes))))
	}
}

// who says who called.
func who(c host.Caller) string {
	return fmt.Sprintf("key %s from %s", orDash(c.Key), orDash(c.Address))
}

func newDeliveriesBody(flags *clientFlags) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "body GROUP ID",
		Short: "Write the very bytes of a delivery",
		Long: `Write the very bytes of a delivery to standard output, or to a file that must not
exist yet. They are checked against the SHA-256 of the record.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.withGroup(cmd.Context(), args[0], func(c *control.Client, g host.GroupName) error {
				body, err := c.DeliveryBody(cmd.Context(), g, args[1])
				if err != nil {
					return err
				}
				if out == "" {
					_, err = cmd.OutOrStdout().Write(body)
					return err
				}
				f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return &app.HintError{Err: fmt.Errorf("write the body: %w", err), Hint: "name a file that does not exist yet"}
				}
				if _, err := f.Write(body); err != nil {
					return err
				}
				return f.Close()
			})
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write to (default standard output)")
	return cmd
}

func newVerify() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check all that is stored against its checksums",
		Long: `Check all that is stored against its checksum, and every message against the counts
of its group. It reads all of it, while the
daemon goes on; where none runs, it also checks how the pages of the file hang
together. The exit status is 1 if anything is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				progress := newProgress(cmd.ErrOrStderr(), "")
				progress.step("reading all that is stored")
				v, err := c.Verify(cmd.Context())
				progress.end()
				if err != nil {
					return err
				}
				err = flags.print(cmd.OutOrStdout(), v, func(w io.Writer) {
					for _, fault := range v.Faults {
						fmt.Fprintln(w, cell(fault, 1000))
					}
					if len(v.Faults) == 0 {
						fmt.Fprintln(w, "All that is stored is as it should be.")
					}
				})
				if err == nil && len(v.Faults) > 0 {
					err = &app.HintError{Err: fmt.Errorf("what is stored has faults: %d", len(v.Faults)), Hint: "the disk may be failing: restore a backup on another one"}
				}
				return err
			})
		},
	}
	flags.add(cmd)
	return cmd
}
