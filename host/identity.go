package host

import (
	"context"
	"errors"
	"fmt"
)

// Identity is who a user is according to an OpenID Connect provider.
type Identity struct {
	// Issuer and Subject together stand for one person, for good.
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	// Name is the name that the user gets here at the first sign-in.
	Name     string `json:"name"`
	FullName string `json:"fullName,omitempty"`
	Role     Role   `json:"role"`
}

// SignInExternal begins a session for whom a provider has identified. At the
// first sign-in it makes the user; later it takes over the role and the full
// name, while the name stays, and another role ends the other sessions. It fails
// with ErrNameTaken rather than take over a user who has the name and is not
// this identity, with ErrSignIn if the user is disabled, and with ErrLastAdmin
// if the provider says that the last admin is none any more.
func (u *Users) SignInExternal(ctx context.Context, id Identity, from SignInFrom) (token string, s Session, err error) {
	if id.Issuer == "" || id.Subject == "" {
		return "", Session{}, errors.New("an identity needs an issuer and a subject")
	}
	if _, err := ParseRole(string(id.Role)); err != nil {
		return "", Session{}, err
	}
	for {
		known, err := u.identified(ctx, id)
		if errors.Is(err, ErrNoUser) {
			known, err = u.createExternal(ctx, id)
		}
		if errors.Is(err, ErrConflict) {
			continue // the user was made meanwhile: perhaps it is this one
		}
		if err != nil {
			return "", Session{}, err
		}
		user, err := u.signInKnown(ctx, known.Name, id)
		if errors.Is(err, ErrNoUser) {
			continue // deleted meanwhile
		}
		if err != nil {
			return "", Session{}, err
		}
		return u.begin(ctx, user, from)
	}
}

// identified returns the user who is this identity, or ErrNoUser.
func (u *Users) identified(ctx context.Context, id Identity) (storedUser, error) {
	all, err := u.all(ctx)
	if err != nil {
		return storedUser{}, err
	}
	for _, s := range all {
		if s.External && s.Issuer == id.Issuer && s.Subject == id.Subject {
			return s, nil
		}
	}
	return storedUser{}, ErrNoUser
}

func (u *Users) createExternal(ctx context.Context, id Identity) (storedUser, error) {
	if err := CheckUserName(id.Name); err != nil {
		return storedUser{}, fmt.Errorf("the provider gives a name that can't be used: %w", err)
	}
	if other, _, err := u.user(ctx, id.Name); err == nil {
		if other.External {
			return other, fmt.Errorf("%w: %q belongs to another account of OpenID Connect; an admin can delete that user", ErrNameTaken, other.Name)
		}
		return other, fmt.Errorf("%w: %q is a user with a password, who can't be taken over; sign in with the password, or have an admin delete that user", ErrNameTaken, other.Name)
	} else if !errors.Is(err, ErrNoUser) {
		return other, err
	}
	s := storedUser{User: User{
		Name: id.Name, Role: id.Role, Created: u.stamp(), External: true, Issuer: id.Issuer, Subject: id.Subject,
	}}
	s.endSessions()
	_, err := u.put(ctx, s, 0)
	return s, err
}

// signInKnown takes over what the provider says of a user.
func (u *Users) signInKnown(ctx context.Context, name string, id Identity) (storedUser, error) {
	var signedIn storedUser
	_, err := u.keepAdmin(ctx, name, func(s *storedUser) error {
		if s.Disabled || s.Issuer != id.Issuer || s.Subject != id.Subject {
			return ErrSignIn
		}
		if s.Role != id.Role {
			s.Role = id.Role
			s.endSessions()
		}
		s.FullName = clip(id.FullName, 256)
		s.LastSignIn = u.stamp()
		signedIn = *s
		return nil
	})
	return signedIn, err
}
