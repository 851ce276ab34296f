package control

import (
	"context"
	"net/http"
	"net/url"

	"github.com/restante/restante/host"
)

// InvitationPath is the page on which an invitation is used, without its token.
const InvitationPath = "/admin/invitation"

// Users are those who may sign in, and those who are invited.
type Users struct {
	Users       []host.User       `json:"users"`
	Invitations []host.Invitation `json:"invitations"`
}

// NewInvitation answers the making of an invitation; it is the only time that
// Link is seen.
type NewInvitation struct {
	host.Invitation
	// Link is a URL, or only its path if the daemon's is not known.
	Link string `json:"link"`
}

// name returns the user that a call is about. It is no part of the path, where
// some names could not stand.
func name(r *http.Request) string { return r.URL.Query().Get("name") }

func (s *Server) listUsers(r *http.Request) (any, error) {
	all, err := s.Users.List(r.Context())
	if err != nil {
		return nil, err
	}
	invitations, err := s.Users.Invitations(r.Context())
	return Users{Users: all, Invitations: invitations}, err
}

func (s *Server) inviteUser(r *http.Request) (any, error) {
	token, i, err := s.Users.Invite(r.Context(), name(r), host.Role(r.URL.Query().Get("role")), "")
	if err != nil {
		return nil, err
	}
	s.Log.Info("user invited", "user", i.Name, "role", i.Role, "reset", i.Reset)
	return NewInvitation{Invitation: i, Link: s.URL + InvitationPath + "?" + url.Values{"token": {token}}.Encode()}, nil
}

func (s *Server) setRole(r *http.Request) (any, error) {
	user, err := s.Users.SetRole(r.Context(), name(r), host.Role(r.URL.Query().Get("role")))
	return s.changed("role of user changed", user, err)
}

func (s *Server) disableUser(r *http.Request) (any, error) {
	user, err := s.Users.Disable(r.Context(), name(r))
	return s.changed("user disabled", user, err)
}

func (s *Server) enableUser(r *http.Request) (any, error) {
	user, err := s.Users.Enable(r.Context(), name(r))
	return s.changed("user enabled", user, err)
}

func (s *Server) changed(what string, user host.User, err error) (any, error) {
	if err == nil {
		s.Log.Info(what, "user", user.Name, "role", user.Role)
	}
	return user, err
}

func (s *Server) deleteUser(r *http.Request) (any, error) {
	err := s.Users.Delete(r.Context(), name(r))
	if err == nil {
		s.Log.Info("user deleted", "user", name(r))
	}
	return struct{}{}, err
}

func (s *Server) signOutUser(r *http.Request) (any, error) {
	err := s.Users.SignOutEverywhere(r.Context(), name(r))
	if err == nil {
		s.Log.Info("user signed out everywhere", "user", name(r))
	}
	return struct{}{}, err
}

// Users lists users and invitations in the order of the names.
func (c *Client) Users(ctx context.Context) (reply Users, err error) {
	err = c.call(ctx, "GET", "/users", nil, nil, &reply)
	return reply, err
}

// Invite makes an invitation; see host.Users.Invite.
func (c *Client) Invite(ctx context.Context, name string, role host.Role) (reply NewInvitation, err error) {
	err = c.call(ctx, "POST", "/users/invite", url.Values{"name": {name}, "role": {string(role)}}, nil, &reply)
	return reply, err
}

// SetRole changes what a user may do.
func (c *Client) SetRole(ctx context.Context, name string, role host.Role) (reply host.User, err error) {
	err = c.call(ctx, "POST", "/users/role", url.Values{"name": {name}, "role": {string(role)}}, nil, &reply)
	return reply, err
}

// Disable lets a user sign in no more.
func (c *Client) Disable(ctx context.Context, name string) (reply host.User, err error) {
	err = c.call(ctx, "POST", "/users/disable", url.Values{"name": {name}}, nil, &reply)
	return reply, err
}

// Enable lets a user sign in again.
func (c *Client) Enable(ctx context.Context, name string) (reply host.User, err error) {
	err = c.call(ctx, "POST", "/users/enable", url.Values{"name": {name}}, nil, &reply)
	return reply, err
}

// DeleteUser forgets a user.
func (c *Client) DeleteUser(ctx context.Context, name string) error {
	return c.call(ctx, "POST", "/users/delete", url.Values{"name": {name}}, nil, nil)
}

// SignOut ends all sessions of a user.
func (c *Client) SignOut(ctx context.Context, name string) error {
	return c.call(ctx, "POST", "/users/sign-out", url.Values{"name": {name}}, nil, nil)
}
