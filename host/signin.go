package host

import (
	"context"
	"errors"
	"fmt"
)

// SignIn begins a session for the user with this name and password, and returns
// its token, which is not kept. It fails with ErrSignIn, or with
// ErrTooManyAttempts and then nothing was compared.
func (u *Users) SignIn(ctx context.Context, name, password string, from SignInFrom) (token string, s Session, err error) {
	if len(name) > 4*MaxUserName || len(password) > MaxPasswordBytes {
		return "", Session{}, ErrSignIn // nobody has such a name or password
	}
	if err := u.limit(name, from); err != nil {
		return "", Session{}, err
	}
	user, _, err := u.user(ctx, name)
	if err != nil && !errors.Is(err, ErrNoUser) {
		return "", Session{}, err
	}
	rehashed, err := u.verify(ctx, user, password)
	if err != nil {
		return "", Session{}, err
	}
	u.relent(name, from)
	user, err = u.change(ctx, name, func(now *storedUser) error {
		if now.Disabled || now.Hash != user.Hash {
			return ErrSignIn // it changed while we compared
		}
		now.LastSignIn = u.stamp()
		if rehashed != "" {
			now.Hash = rehashed
		}
		return nil
	})
	if errors.Is(err, ErrNoUser) {
		return "", Session{}, ErrSignIn
	}
	if err != nil {
		return "", Session{}, err
	}
	return u.begin(ctx, user, from)
}

// limit counts an attempt to sign in.
func (u *Users) limit(name string, from SignInFrom) error {
	now, address := u.now(), network(from.Address)
	if address != "" {
		if wait := u.byAddress.take(address, now); wait > 0 {
			return &TooManyAttemptsError{After: wait}
		}
	}
	if wait := u.byName.take(folded(name), now); wait > 0 {
		return &TooManyAttemptsError{After: wait}
	}
	return nil
}

// relent takes back what was counted, as the attempt was a good one.
func (u *Users) relent(name string, from SignInFrom) {
	u.byName.clear(folded(name))
	u.byAddress.giveBack(network(from.Address))
}

// verify fails with ErrSignIn unless the user may sign in with the password. It
// does the same work if there is no such user. It returns a new hash if that of
// the user is weaker than it should be by now.
func (u *Users) verify(ctx context.Context, user storedUser, password string) (rehashed string, err error) {
	err = u.inTurn(ctx, func() error {
		hash, err := u.dummy()
		if err != nil {
			return fmt.Errorf("hash a password: %w", err)
		}
		able := user.Hash != "" && !user.Disabled
		if user.Hash != "" {
			hash = user.Hash
		}
		if !u.hasher.Verify(password, hash) || !able {
			return ErrSignIn
		}
		if u.hasher.NeedsRehash(hash) {
			rehashed, err = u.hasher.Hash(password)
		}
		return err
	})
	return rehashed, err
}

// ChangePassword gives the user of a session another password, and ends all of
// the user's other sessions. It fails with ErrNoSession, ErrBadPassword,
// ErrWrongPassword if current is not the password, ErrExternal or
// ErrTooManyAttempts.
func (u *Users) ChangePassword(ctx context.Context, token, current, password string, from SignInFrom) error {
	_, user, _, err := u.session(ctx, token)
	if err != nil {
		return err
	}
	if user.External {
		return fmt.Errorf("password of user %q: %w", user.Name, ErrExternal)
	}
	if err := CheckPassword(password, user.Name); err != nil {
		return err
	}
	if err := u.limit(user.Name, from); err != nil {
		return err
	}
	if _, err := u.verify(ctx, user, current); errors.Is(err, ErrSignIn) {
		return ErrWrongPassword
	} else if err != nil {
		return err
	}
	u.relent(user.Name, from)
	hash, err := u.hashed(ctx, password)
	if err != nil {
		return err
	}
	changed, err := u.change(ctx, user.Name, func(s *storedUser) error {
		if s.Hash != user.Hash || s.Disabled {
			return ErrWrongPassword // it changed while we compared
		}
		s.Hash = hash
		s.endSessions()
		return nil
	})
	if err != nil {
		return err
	}
	return u.carryOver(ctx, token, user.Generation, changed.Generation)
}

// carryOver has a session survive the end of all the others.
func (u *Users) carryOver(ctx context.Context, token, from, to string) error {
	for {
		r, err := u.records.Record(ctx, sessionBucket, tokenKey(token))
		if errors.Is(err, ErrNoRecord) {
			return nil // the user has signed out meanwhile
		}
		if err != nil {
			return fmt.Errorf("read a session: %w", err)
		}
		s, err := readSession(r)
		if err != nil || s.Generation != from {
			return err
		}
		s.Generation = to
		if err = u.putSession(ctx, r.Key, s, r.Revision); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

func (u *Users) hashed(ctx context.Context, password string) (hash string, err error) {
	err = u.inTurn(ctx, func() error {
		hash, err = u.hasher.Hash(password)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return hash, nil
}
