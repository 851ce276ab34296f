package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
	"github.com/restante/restante/host/control"
)

func newKeys() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Create, list and revoke API keys",
	}
	flags.add(cmd)
	return family(cmd, newKeysCreate(&flags), newKeysList(&flags), newKeysRevoke(&flags), newKeysRotate(&flags))
}

func newKeysCreate(flags *clientFlags) *cobra.Command {
	var groups, allow []string
	var note, expires string
	cmd := &cobra.Command{
		Use:   "create --group GROUP --allow poll,add",
		Short: "Create an API key and print it",
		Long: `Create an API key and print it, and nothing else. It is shown this once: only
a hash of it is kept.

The key works as the password of HTTP Basic authentication with the user
"haplo", for the groups and the uses that are named here and no others.`,
		Example: `  restante keys create --group student --allow poll --note "Student Records, live"
  KEY=$(restante keys create --group student,staff --allow poll,add --expires 90d)
  restante keys create --group '*' --allow add
  restante keys create --group '*' --allow metrics --note Prometheus`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g := host.Grant{Note: note}
			for _, name := range groups {
				g.Groups = append(g.Groups, host.GroupName(name))
			}
			for _, name := range allow {
				p, err := host.ParsePermission(name)
				if err != nil {
					return err
				}
				g.Allow = append(g.Allow, p)
			}
			if expires != "" {
				at, err := parseMoment(expires, 1)
				if err != nil {
					return err
				}
				g.Expires = at
			}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				key, err := c.CreateKey(cmd.Context(), g)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), key, func(w io.Writer) { row(w, key.Text) })
			})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&groups, "group", nil, "the groups that it is for; '*' is all (required)")
	f.StringSliceVar(&allow, "allow", nil, "what it allows: poll, add, send, metrics (required)")
	f.StringVar(&note, "note", "", "who has it, for the list")
	f.StringVar(&expires, "expires", "", "when it stops working: a date such as 2027-01-31, or in such a time: 12h, 90d (default never)")
	cmd.MarkFlagRequired("group")
	cmd.MarkFlagRequired("allow")
	return cmd
}

func newKeysList(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List API keys, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				all, err := c.Keys(cmd.Context())
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), all, func(w io.Writer) {
					if len(all) == 0 {
						row(w, "No keys yet: see \"restante keys create --help\".")
						return
					}
					row(w, "ID", "GROUPS", "ALLOWS", "STATE", "CREATED", "LAST USED", "NOTE")
					for _, k := range all {
						row(w, k.ID, join(k.Groups), join(k.Allow), keyState(k, time.Now()), when(k.Created), when(k.Used), cell(k.Note, 60))
					}
				})
			})
		},
	}
}

func keyState(k host.Key, now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case k.Expires.IsZero():
		return "valid"
	case now.Before(k.Expires):
		return "valid until " + when(k.Expires)
	}
	return "expired"
}

func join[S ~string](all []S) string {
	var b strings.Builder
	for i, s := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(s))
	}
	return b.String()
}

func newKeysRevoke(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke an API key at once and for good",
		Long:  "Revoke an API key at once and for good. ID is what \"restante keys list\" shows in\nits first column; the whole key will do, too.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				id, _, _ := strings.Cut(strings.TrimPrefix(args[0], "rk_"), "_")
				key, err := c.RevokeKey(cmd.Context(), id)
				if e, ok := errors.AsType[*control.Error](err); ok && e.Status == http.StatusNotFound {
					return &app.HintError{Err: fmt.Errorf("there is no API key with the id %q", id), Hint: "\"restante keys list\" shows the ids"}
				}
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), key, func(w io.Writer) { fmt.Fprintln(w, "revoked", key.ID) })
			})
		},
	}
}

func newKeysRotate(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-tokens",
		Short: "Seal the tokens of batches with a new key from now on",
		Long:  "Seal the tokens of batches with a new key from now on. Tokens that were handed\nout before stay valid. API keys are not touched.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				if err := c.RotateTokens(cmd.Context()); err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), struct{}{}, func(w io.Writer) { fmt.Fprintln(w, "tokens are sealed with a new key from now on") })
			})
		},
	}
}

// parseMoment reads a date, a time, or a distance from now such as "12h" or
// "90d", which lies in the future if sign is 1 and in the past if it is -1.
func parseMoment(text string, sign int) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return t, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil && n > 0 {
			return time.Now().AddDate(0, 0, sign*int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return time.Now().Add(time.Duration(sign) * d), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time: write a date such as 2027-01-31, or a distance such as 12h or 90d", text)
}
