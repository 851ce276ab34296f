package host

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Invitation lets somebody become a user by choosing a password, or choose
// another password as the user that they are. It is good for one use.
type Invitation struct {
	// Name is the name of the user.
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Reset says that the user was there already when the invitation was made.
	Reset bool `json:"reset,omitempty"`
	// By is the name of who made it; empty on the machine of the daemon.
	By      string    `json:"by,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// InvitationLife is how long an invitation is valid.
const InvitationLife = 7 * 24 * time.Hour

const invitationBucket = "invitations"

// storedInvitation is the record of an invitation; its key is that of the user,
// so that a newer one takes the place of the older.
type storedInvitation struct {
	Invitation
	// Token is a hash of the token, as tokenKey makes it.
	Token string `json:"token"`
}

// Invite makes an invitation and returns its token, which is not kept. An older
// invitation of the user ends. An existing user keeps the role, which must be
// given as it is or left empty; a new one needs it. It fails with
// ErrBadUserName, and with ErrExternal or ErrDisabled for such a user.
func (u *Users) Invite(ctx context.Context, name string, role Role, by string) (token string, i Invitation, err error) {
	if err := CheckUserName(name); err != nil {
		return "", i, err
	}
	user, _, err := u.user(ctx, name)
	switch {
	case errors.Is(err, ErrNoUser):
		if role == "" {
			return "", i, fmt.Errorf("there is no user %q, and a new one needs a role: \"viewer\", \"operator\" or \"admin\"", name)
		}
		if _, err := ParseRole(string(role)); err != nil {
			return "", i, err
		}
		i = Invitation{Name: name, Role: role}
	case err != nil:
		return "", i, err
	case user.External:
		return "", i, fmt.Errorf("invite %q: %w, not with a password", user.Name, ErrExternal)
	case user.Disabled:
		return "", i, fmt.Errorf("invite %q: %w: enable it first", user.Name, ErrDisabled)
	case role != "" && role != user.Role:
		return "", i, fmt.Errorf("the user %q has the role %q already: change that first, or leave the role out", user.Name, user.Role)
	default:
		i = Invitation{Name: user.Name, Role: user.Role, Reset: true}
	}
	i.By, i.Created = by, u.stamp()
	i.Expires = i.Created.Add(InvitationLife)
	token = strings.ToLower(rand.Text())
	value, err := json.Marshal(storedInvitation{i, tokenKey(token)})
	if err != nil {
		return "", i, err
	}
	for {
		r, err := u.records.Record(ctx, invitationBucket, folded(name))
		if err == nil || errors.Is(err, ErrNoRecord) {
			_, err = u.records.PutRecord(ctx, invitationBucket, Record{Key: folded(name), Value: value, Revision: r.Revision})
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return "", i, fmt.Errorf("invite %q: %w", name, err)
		}
		return token, i, nil
	}
}

// FirstInvitation invites the user "admin", with that role, and returns the
// token, if there is no user at all; else it returns "". An invitation that was
// made so before ends.
func (u *Users) FirstInvitation(ctx context.Context) (token string, err error) {
	all, err := u.List(ctx)
	if err != nil || len(all) > 0 {
		return "", err
	}
	token, _, err = u.Invite(ctx, "admin", Admin, "")
	return token, err
}

// Invitations lists the invitations that are valid, in the order of the names.
func (u *Users) Invitations(ctx context.Context) ([]Invitation, error) {
	held, err := u.invitations(ctx)
	all := []Invitation{}
	for _, h := range held {
		if u.now().Before(h.Expires) {
			all = append(all, h.Invitation)
		}
	}
	return all, err
}

type heldInvitation struct {
	storedInvitation
	record Record
}

func (u *Users) invitations(ctx context.Context) ([]heldInvitation, error) {
	records, err := u.records.Records(ctx, invitationBucket)
	if err != nil {
		return nil, fmt.Errorf("read invitations: %w", err)
	}
	all := make([]heldInvitation, len(records))
	for i, r := range records {
		all[i].record = r
		if err := json.Unmarshal(r.Value, &all[i].storedInvitation); err != nil {
			return nil, fmt.Errorf("record of the invitation of %q is malformed: %w", r.Key, err)
		}
	}
	return all, nil
}

// Invitation returns what a token is an invitation to, or ErrBadInvitation.
func (u *Users) Invitation(ctx context.Context, token string) (Invitation, error) {
	i, _, err := u.invitation(ctx, token)
	return i.Invitation, err
}

// invitation returns also the user, who is zero if there is none yet.
func (u *Users) invitation(ctx context.Context, token string) (i heldInvitation, user storedUser, err error) {
	all, err := u.invitations(ctx)
	if err != nil {
		return i, user, err
	}
	key := tokenKey(token)
	for _, held := range all {
		if held.Token == key && u.now().Before(held.Expires) {
			i = held
		}
	}
	if i.Token == "" {
		return i, user, ErrBadInvitation
	}
	user, _, err = u.user(ctx, i.Name)
	if errors.Is(err, ErrNoUser) {
		if i.Reset {
			return heldInvitation{}, user, ErrBadInvitation // the user was deleted meanwhile
		}
		return i, storedUser{}, nil
	}
	if err == nil && !i.good(user) {
		return heldInvitation{}, storedUser{}, ErrBadInvitation
	}
	return i, user, err
}

// good reports whether the invitation can be used by a user who is there.
func (i *heldInvitation) good(user storedUser) bool {
	return i.Reset && !user.External && !user.Disabled && user.Accepted != i.Token
}

// Accept gives the user of an invitation the password, and makes the user if
// there was none. All sessions of the user end, and one begins, whose token it
// returns. It fails with ErrBadInvitation, or with ErrBadPassword, after which
// the invitation can still be used.
func (u *Users) Accept(ctx context.Context, token, password string, from SignInFrom) (session string, s Session, err error) {
	i, user, err := u.invitation(ctx, token)
	if err != nil {
		return "", Session{}, err
	}
	if err := CheckPassword(password, i.Name); err != nil {
		return "", Session{}, err
	}
	hash, err := u.hashed(ctx, password)
	if err != nil {
		return "", Session{}, err
	}
	accept := func(s *storedUser) {
		s.Hash, s.Accepted, s.LastSignIn = hash, i.Token, u.stamp()
		s.endSessions()
	}
	// The record of the user remembers which invitation was used, so that of two
	// who use it at the same time one fails.
	if user.Name == "" {
		user = storedUser{User: User{Name: i.Name, Role: i.Role, Created: u.stamp()}}
		accept(&user)
		_, err = u.put(ctx, user, 0)
	} else {
		user, err = u.change(ctx, i.Name, func(s *storedUser) error {
			if !i.good(*s) {
				return ErrBadInvitation
			}
			accept(s)
			return nil
		})
	}
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNoUser) {
		return "", Session{}, ErrBadInvitation
	}
	if err != nil {
		return "", Session{}, err
	}
	u.byName.clear(folded(i.Name))
	err = u.records.DeleteRecord(ctx, invitationBucket, i.record)
	if err != nil && !errors.Is(err, ErrConflict) { // a conflict is a newer invitation
		return "", Session{}, fmt.Errorf("delete the invitation of %q: %w", i.Name, err)
	}
	return u.begin(ctx, user, from)
}

// Uninvite ends the invitation of a name, if there is one.
func (u *Users) Uninvite(ctx context.Context, name string) error {
	_, err := u.uninvite(ctx, name)
	return err
}

func (u *Users) uninvite(ctx context.Context, name string) (invited bool, err error) {
	for {
		r, err := u.records.Record(ctx, invitationBucket, folded(name))
		if errors.Is(err, ErrNoRecord) {
			return false, nil
		}
		if err == nil {
			err = u.records.DeleteRecord(ctx, invitationBucket, r)
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("end the invitation of %q: %w", name, err)
		}
		return true, nil
	}
}

// PruneInvitations deletes invitations that are not valid any more, and returns
// how many.
func (u *Users) PruneInvitations(ctx context.Context) (int, error) {
	all, err := u.invitations(ctx)
	pruned := 0
	for _, i := range all {
		if u.now().Before(i.Expires) {
			continue
		}
		if err := u.records.DeleteRecord(ctx, invitationBucket, i.record); err == nil {
			pruned++
		} else if !errors.Is(err, ErrConflict) {
			return pruned, fmt.Errorf("prune invitations: %w", err)
		}
	}
	return pruned, err
}
