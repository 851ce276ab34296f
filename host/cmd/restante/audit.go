package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
)

func newAudit() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who has changed or looked at what",
		Long: `Show who has changed or looked at what. Every change by a person, and every look
at messages, is written down before it is done or shown; if that fails it is not
done. Fetching and marking by pollers is told by "restante deliveries".`,
	}
	flags.add(cmd)
	return family(cmd, newAuditList(&flags), newAuditExport(&flags))
}

func newAuditList(flags *clientFlags) *cobra.Command {
	var before uint64
	var limit int
	var group string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the entries of the audit log, newest first",
		Example: "  restante audit list --group student --limit 100",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g := host.GroupName(group)
			if group != "" {
				if err := host.CheckGroupName(g); err != nil {
					return err
				}
			}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				all, err := c.AuditLog(cmd.Context(), g, before, limit)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), all, func(w io.Writer) { printAudit(w, all, limit) })
			})
		},
	}
	cmd.Flags().Uint64Var(&before, "before", 0, "list on from this number, which the end of a list names")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many, from 1 to 1000")
	cmd.Flags().StringVar(&group, "group", "", "only what was done with this group")
	return cmd
}

func printAudit(w io.Writer, all []host.ListedAudit, limit int) {
	if len(all) == 0 {
		row(w, "No such entries. Whatever is changed or looked at by a command is written down here.")
		return
	}
	row(w, "TIME", "WHO", "FROM", "ACTION", "GROUP", "SUBJECT", "DETAILS")
	for _, e := range all {
		row(w, when(e.Time), cell(e.Who, 40), orDash(cell(e.From, 45)), cell(e.Action, 60), orDash(string(e.Group)), orDash(cell(e.Subject, 60)), cell(e.Details, 120))
	}
	if len(all) == limit {
		fmt.Fprintf(w, "Older ones: --before %d\n", all[len(all)-1].Number)
	}
}

func newAuditExport(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Write the whole audit log as NDJSON, newest first",
		Long: `Write the whole audit log to standard output as NDJSON: one entry in a line, the
newest first. Numbers go down by one but where entries were pruned.`,
		Example: "  restante audit export | gzip > audit.ndjson.gz",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetEscapeHTML(false)
				for before := uint64(0); ; {
					page, err := c.AuditLog(cmd.Context(), "", before, host.MaxFetch)
					if err != nil || len(page) == 0 {
						return err
					}
					for _, e := range page {
						if err := encoder.Encode(e); err != nil {
							return err
						}
						before = e.Number
					}
				}
			})
		},
	}
}
