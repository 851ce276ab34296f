package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
)

func newUsers() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "users",
		Short: "Invite people to the pages, and look after their roles",
		Long: `Invite people to the pages under /admin/, and look after their roles: a viewer may
look, an operator may also look after messages and plugins, and an admin also after
users and API keys.

One admin who can sign in always stays.`,
	}
	flags.add(cmd)
	return family(cmd, newUsersList(&flags), newUsersInvite(&flags), newUsersRole(&flags),
		newUsersChange(&flags, "disable", "Let a user sign in no more, and end all sessions at once", (*control.Client).Disable),
		newUsersChange(&flags, "enable", "Let a disabled user sign in again", (*control.Client).Enable),
		newUsersEnd(&flags, "delete", "Forget a user, or end an invitation", "deleted", (*control.Client).DeleteUser),
		newUsersEnd(&flags, "sign-out", "End all sessions of a user", "signed out", (*control.Client).SignOut))
}

func newUsersList(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List users and who is invited",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				all, err := c.Users(cmd.Context())
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), all, func(w io.Writer) { printUsers(w, all) })
			})
		},
	}
}

func printUsers(w io.Writer, all control.Users) {
	if len(all.Users)+len(all.Invitations) == 0 {
		row(w, "No users yet: see \"restante users invite --help\".")
		return
	}
	row(w, "NAME", "ROLE", "STATE", "SIGNS IN WITH", "CREATED", "LAST SIGN-IN")
	for _, u := range all.Users {
		state, with := "active", "a password"
		if u.Disabled {
			state = "disabled"
		}
		if u.External {
			with = "OpenID Connect"
		}
		row(w, cell(u.Name, host.MaxUserName), u.Role, state, with, when(u.Created), when(u.LastSignIn))
	}
	for _, i := range all.Invitations {
		state := "invited until "
		if i.Reset {
			state = "may choose another password until "
		}
		row(w, cell(i.Name, host.MaxUserName), i.Role, state+when(i.Expires), "-", when(i.Created), "-")
	}
}

func newUsersInvite(flags *clientFlags) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "invite NAME",
		Short: "Invite somebody, or let a user choose another password, and print the link",
		Long: `Invite somebody and print a link, and nothing else. Who opens it chooses a password
and is signed in. It is good for one use within seven days, and ends an older one
for the same name. It is shown this once: only a hash of it is kept.

For a user who is there already it is a way to choose another password, and ends all
of the user's sessions.

The link is a whole URL if the daemon runs. Where people reach it at another one,
say that by the setting "url" of the configuration.`,
		Example: `  restante users invite ann@example.edu --role admin
  restante users invite ann@example.edu`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if role != "" {
				if _, err := host.ParseRole(role); err != nil {
					return err
				}
			}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				i, err := c.Invite(cmd.Context(), args[0], host.Role(role))
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), i, func(w io.Writer) { row(w, i.Link) })
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "viewer, operator or admin (required for a new user)")
	return cmd
}

func newUsersRole(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "role NAME ROLE",
		Short: "Change what a user may do, and end the user's sessions",
		Long:  "Change what a user may do, and end the user's sessions. ROLE is viewer, operator or\nadmin.",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			role, err := host.ParseRole(args[1])
			if err != nil {
				return err
			}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				user, err := c.SetRole(cmd.Context(), args[0], role)
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), user, func(w io.Writer) {
					fmt.Fprintf(w, "%s has the role %s\n", cell(user.Name, host.MaxUserName), user.Role)
				})
			})
		},
	}
}

// newUsersChange makes a command that changes a user.
func newUsersChange(flags *clientFlags, verb, short string, change func(*control.Client, context.Context, string) (host.User, error)) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				user, err := change(c, cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), user, func(w io.Writer) {
					fmt.Fprintln(w, strings.TrimSuffix(verb, "e")+"ed", cell(user.Name, host.MaxUserName))
				})
			})
		},
	}
}

// newUsersEnd makes a command after which something of a user is no more.
func newUsersEnd(flags *clientFlags, verb, short, done string, end func(*control.Client, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.with(cmd.Context(), func(c *control.Client) error {
				if err := end(c, cmd.Context(), args[0]); err != nil {
					return err
				}
				return flags.print(cmd.OutOrStdout(), struct{}{}, func(w io.Writer) { fmt.Fprintln(w, done, cell(args[0], host.MaxUserName)) })
			})
		},
	}
}
