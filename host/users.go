package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Users knows who may sign in, signs them in, and holds their sessions and the
// invitations of those who are still to come. It keeps nothing in memory that
// another daemon on the store could change, so that what one does holds on all
// of them at once. It is safe for concurrent use.
type Users struct {
	records Records
	hasher  PasswordHasher
	now     func() time.Time
	// dummy is a hash of a password that nobody has.
	dummy func() (string, error)

	byName, byAddress *attempts
	hashing           chan struct{}
	waiting           atomic.Int32
}

const (
	userBucket = "users"
	// maxHashing is how many passwords are hashed at a time: each takes memory.
	maxHashing = 2
	// maxWaiting is how many wait for their turn; what comes after is refused.
	maxWaiting = 64
)

// OpenUsers reads the users from the store once, to see that they can be read.
func OpenUsers(ctx context.Context, records Records, hasher PasswordHasher, now func() time.Time) (*Users, error) {
	u := &Users{
		records: records, hasher: hasher, now: now,
		// Ten at once, and then one a minute: a thousand guesses take most of a
		// day. Behind one address may be many people.
		byName:    newAttempts(time.Minute, 10),
		byAddress: newAttempts(10*time.Second, 30),
		hashing:   make(chan struct{}, maxHashing),
	}
	u.dummy = sync.OnceValues(func() (string, error) { return hasher.Hash("nobody has this password") })
	if _, err := u.List(ctx); err != nil {
		return nil, err
	}
	return u, nil
}

// List returns all users in the order of their names.
func (u *Users) List(ctx context.Context) ([]User, error) {
	stored, err := u.all(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]User, len(stored))
	for i, s := range stored {
		all[i] = s.User
	}
	return all, nil
}

func (u *Users) all(ctx context.Context) ([]storedUser, error) {
	records, err := u.records.Records(ctx, userBucket)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	all := make([]storedUser, len(records))
	for i, r := range records {
		if all[i], err = readUser(r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// User returns the user of this name, or ErrNoUser.
func (u *Users) User(ctx context.Context, name string) (User, error) {
	s, _, err := u.user(ctx, name)
	return s.User, err
}

func (u *Users) user(ctx context.Context, name string) (s storedUser, revision uint64, err error) {
	r, err := u.records.Record(ctx, userBucket, folded(name))
	if errors.Is(err, ErrNoRecord) {
		return s, 0, fmt.Errorf("user %q: %w", name, ErrNoUser)
	}
	if err != nil {
		return s, 0, fmt.Errorf("read user %q: %w", name, err)
	}
	s, err = readUser(r)
	return s, r.Revision, err
}

// SetRole changes what a user may do, and ends the user's sessions. It fails
// with ErrNoUser, ErrLastAdmin, or ErrExternal where the provider decides.
func (u *Users) SetRole(ctx context.Context, name string, role Role) (User, error) {
	if _, err := ParseRole(string(role)); err != nil {
		return User{}, err
	}
	return u.keepAdmin(ctx, name, func(s *storedUser) error {
		if s.External {
			return fmt.Errorf("role of user %q: %w, and has the role that the provider gives", s.Name, ErrExternal)
		}
		if s.Role != role {
			s.Role = role
			s.endSessions()
		}
		return nil
	})
}

// Disable ends a user's sessions and invitation, and lets the user sign in no
// more. It fails with ErrNoUser or ErrLastAdmin.
func (u *Users) Disable(ctx context.Context, name string) (User, error) {
	user, err := u.keepAdmin(ctx, name, func(s *storedUser) error {
		if !s.Disabled {
			s.Disabled = true
			s.endSessions()
		}
		return nil
	})
	if err != nil {
		return user, err
	}
	return user, u.Uninvite(ctx, name)
}

// Enable lets a disabled user sign in again. It fails with ErrNoUser.
func (u *Users) Enable(ctx context.Context, name string) (User, error) {
	s, err := u.change(ctx, name, func(s *storedUser) error {
		s.Disabled = false
		return nil
	})
	return s.User, err
}

// Delete forgets a user, or who is only invited. Another may have the name later, but none of the
// sessions. It fails with ErrNoUser or ErrLastAdmin. A user of OpenID Connect is
// made anew at the next sign-in: disable such a one instead.
func (u *Users) Delete(ctx context.Context, name string) error {
	for {
		s, revision, err := u.user(ctx, name)
		if errors.Is(err, ErrNoUser) {
			if invited, err := u.uninvite(ctx, name); invited || err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if s.administers() {
			if err := u.adminBeside(ctx, folded(name)); err != nil {
				return err
			}
		}
		err = u.records.DeleteRecord(ctx, userBucket, Record{Key: folded(name), Revision: revision})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("delete user %q: %w", name, err)
		}
		if s.administers() {
			if err := u.adminBeside(ctx, ""); err != nil {
				_, undone := u.put(context.WithoutCancel(ctx), s, 0)
				return errors.Join(err, undone)
			}
		}
		return u.Uninvite(ctx, name)
	}
}

// keepAdmin changes a user unless no enabled admin were left. The check before
// the change sees almost every case. The one after it sees two that happen at
// the same time, perhaps in two daemons: whichever is written second sees both,
// and is undone.
func (u *Users) keepAdmin(ctx context.Context, name string, edit func(*storedUser) error) (User, error) {
	var before storedUser
	s, err := u.change(ctx, name, func(s *storedUser) error {
		before = *s
		if err := edit(s); err != nil {
			return err
		}
		if before.administers() && !s.administers() {
			return u.adminBeside(ctx, folded(name))
		}
		return nil
	})
	if err != nil || !before.administers() || s.administers() {
		return s.User, err
	}
	if err := u.adminBeside(ctx, ""); err != nil {
		_, undone := u.change(context.WithoutCancel(ctx), name, func(s *storedUser) error {
			s.Role, s.Disabled, s.Generation = before.Role, before.Disabled, before.Generation
			return nil
		})
		return before.User, errors.Join(err, undone)
	}
	return s.User, nil
}

// adminBeside fails with ErrLastAdmin if there is no enabled admin beside the
// one of this key.
func (u *Users) adminBeside(ctx context.Context, key string) error {
	all, err := u.all(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.administers() && folded(s.Name) != key {
			return nil
		}
	}
	return fmt.Errorf("%w: make another user an admin first", ErrLastAdmin)
}

// change edits a user and writes the record, again if it was changed meanwhile.
func (u *Users) change(ctx context.Context, name string, edit func(*storedUser) error) (storedUser, error) {
	for {
		s, revision, err := u.user(ctx, name)
		if err != nil {
			return s, err
		}
		before := s
		if err := edit(&s); err != nil || s == before {
			return before, err
		}
		if _, err = u.put(ctx, s, revision); !errors.Is(err, ErrConflict) {
			return s, err
		}
	}
}

func (u *Users) put(ctx context.Context, s storedUser, revision uint64) (uint64, error) {
	s.HasPassword = s.Hash != ""
	value, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	revision, err = u.records.PutRecord(ctx, userBucket, Record{Key: folded(s.Name), Value: value, Revision: revision})
	if err != nil {
		return 0, fmt.Errorf("write user %q: %w", s.Name, err)
	}
	return revision, nil
}

// inTurn calls do, which hashes, when it is its turn.
func (u *Users) inTurn(ctx context.Context, do func() error) error {
	if u.waiting.Add(1) > maxWaiting {
		u.waiting.Add(-1)
		return &TooManyAttemptsError{After: 5 * time.Second}
	}
	select {
	case u.hashing <- struct{}{}:
		u.waiting.Add(-1)
	case <-ctx.Done():
		u.waiting.Add(-1)
		return ctx.Err()
	}
	defer func() { <-u.hashing }()
	return do()
}

// stamp is the time now as it is kept.
func (u *Users) stamp() time.Time { return u.now().UTC().Truncate(time.Second) }
