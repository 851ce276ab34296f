package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/restante/restante/host"
)

// usersPage lists who may sign in.
type usersPage struct {
	frame
	Users       []host.User
	Invitations []host.Invitation
	// Link is of an invitation that was just made, shown this once, and For its
	// user.
	Link, For string
}

// Roles are what a user can be.
func (usersPage) Roles() []string {
	return []string{string(host.Viewer), string(host.Operator), string(host.Admin)}
}

// users answers GET /admin/users.
func (a *Admin) users(v *visit) error { return v.usersPage(usersPage{}) }

func (v *visit) usersPage(p usersPage) (err error) {
	if p.Users, err = v.a.Users.List(v.ctx()); err != nil {
		return err
	}
	if p.Invitations, err = v.a.Users.Invitations(v.ctx()); err != nil {
		return err
	}
	v.frame(&p.frame, "Users", "users")
	return v.show("users", p)
}

// invite answers POST /admin/users: the answer has a link that is shown once.
func (a *Admin) invite(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	name, role := strings.TrimSpace(v.r.PostForm.Get("name")), host.Role(v.r.PostForm.Get("role"))
	known, err := a.Users.User(v.ctx(), name)
	switch {
	case errors.Is(err, host.ErrNoUser):
		if _, err := host.ParseRole(string(role)); err != nil {
			return badf("%s.", err)
		}
	case err != nil:
		return err
	case role != "" && role != known.Role:
		return badf("%s is a user already, with the role %s. Change it in the list, or make a new password link there.", known.Name, known.Role)
	}
	var token string
	err = v.audited("user invited", "", name, func() (err error) {
		token, _, err = a.Users.Invite(v.ctx(), name, role, v.user.Name)
		return err
	})
	if err != nil {
		return usersFault(err)
	}
	return v.usersPage(usersPage{Link: a.URL() + "/admin/invitation?token=" + url.QueryEscape(token), For: name})
}

// usersFault makes words out of what can't be done to a user.
func usersFault(err error) error {
	for _, known := range []error{
		host.ErrBadUserName, host.ErrNoUser, host.ErrNameTaken, host.ErrExternal, host.ErrLastAdmin, host.ErrDisabled,
		host.ErrBadPassword, host.ErrWrongPassword,
	} {
		if errors.Is(err, known) {
			return badf("%s%s.", strings.ToUpper(err.Error()[:1]), err.Error()[1:])
		}
	}
	return err
}

// changeUser answers POST /admin/users/{action}. The name is in the form, as it may
// have characters that a path can't.
func (a *Admin) changeUser(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	name, action := v.r.PostForm.Get("name"), v.r.PathValue("action")
	if err := host.CheckUserName(name); err != nil {
		return usersFault(err)
	}
	role := host.Role(v.r.PostForm.Get("role"))
	actions := map[string]struct {
		done string
		do   func() error
	}{
		"role":     {"role of a user changed", func() error { _, err := a.Users.SetRole(v.ctx(), name, role); return err }},
		"disable":  {"user disabled", func() error { _, err := a.Users.Disable(v.ctx(), name); return err }},
		"enable":   {"user enabled", func() error { _, err := a.Users.Enable(v.ctx(), name); return err }},
		"delete":   {"user deleted", func() error { return a.Users.Delete(v.ctx(), name) }},
		"sign-out": {"user signed out everywhere", func() error { return a.Users.SignOutEverywhere(v.ctx(), name) }},
		"uninvite": {"invitation withdrawn", func() error { return a.Users.Uninvite(v.ctx(), name) }},
	}
	act, ok := actions[action]
	if !ok {
		return errNotFound
	}
	if action == "role" {
		if _, err := host.ParseRole(string(role)); err != nil {
			return badf("%s.", err)
		}
	}
	if err := v.audited(act.done, "", name, act.do); err != nil {
		return usersFault(err)
	}
	return v.redirect("/admin/users", fmt.Sprintf("%s: %s.", name, act.done))
}

// accountPage is the user's own.
type accountPage struct {
	frame
	Sessions []host.Session
	Current  string
	Err      string
}

// account answers GET /admin/account.
func (a *Admin) account(v *visit) error { return v.accountPage(http.StatusOK, "") }

func (v *visit) accountPage(status int, fault string) error {
	p := accountPage{Current: v.session.ID, Err: fault}
	var err error
	if p.Sessions, err = v.a.Users.Sessions(v.ctx(), v.user.Name); err != nil {
		return err
	}
	v.frame(&p.frame, "Your account", "account")
	return v.render(status, "account", p)
}

// changePassword answers POST /admin/account/password.
func (a *Admin) changePassword(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm
	if f.Get("password") != f.Get("again") {
		return v.accountPage(http.StatusUnprocessableEntity, "The two new passwords are not the same.")
	}
	err := v.audited("password changed", "", v.user.Name, func() error {
		return a.Users.ChangePassword(v.ctx(), v.cookie(sessionCookie), f.Get("current"), f.Get("password"), v.from())
	})
	if many, limited := errors.AsType[*host.TooManyAttemptsError](err); limited {
		return v.accountPage(http.StatusTooManyRequests, "Too many attempts. Try again in "+host.Duration(many.After)+".")
	}
	if bad, ok := errors.AsType[*badRequest](usersFault(err)); ok {
		return v.accountPage(http.StatusUnprocessableEntity, bad.text)
	}
	if err != nil {
		return err
	}
	return v.redirect("/admin/account", "Password changed; other browsers are signed out.")
}

// signOutEverywhere answers POST /admin/account/sign-out-everywhere.
func (a *Admin) signOutEverywhere(v *visit) error {
	err := v.audited("signed out everywhere", "", v.user.Name, func() error { return a.Users.SignOutEverywhere(v.ctx(), v.user.Name) })
	if err != nil {
		return err
	}
	v.setCookie(sessionCookie, "", -1)
	return v.redirect("/admin/sign-in", "")
}
