package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Session is a browser in which a user has signed in.
type Session struct {
	// ID names the session in lists. It is no secret, and has nothing to do with
	// the token.
	ID string `json:"id"`
	// User is the name of the user.
	User    string    `json:"user"`
	Created time.Time `json:"created"`
	// Seen is when the session was last used, to within five minutes.
	Seen time.Time `json:"seen"`
	// Expires is when it ends at the latest.
	Expires time.Time `json:"expires"`
	// Address and Agent are those of the browser when the user signed in.
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent,omitempty"`
}

// SignInFrom is where a user signs in from.
type SignInFrom struct {
	// Address is an IP address, with or without a port; empty is not limited.
	Address string
	// Agent is the User-Agent of the browser.
	Agent string
}

// How long a session lasts.
const (
	// SessionIdle ends a session that is not used.
	SessionIdle = 12 * time.Hour
	// SessionLife ends any session.
	SessionLife = 7 * 24 * time.Hour
	// seenEvery is how exactly the store knows when a session was used.
	seenEvery = 5 * time.Minute
	// maxSessions is how many one user can have; the one that was unused for the
	// longest time ends for a new one.
	maxSessions = 50

	sessionBucket = "sessions"
)

// storedSession is the record of a session, whose key is a hash of the token.
type storedSession struct {
	Session
	Generation string `json:"generation"`
}

// tokenKey returns the key of what is kept for a token. Tokens have 130 random
// bits, so a plain SHA-256 will do, and how long it takes to look the hash up
// says nothing about any token.
func tokenKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (s *Session) over(now time.Time) bool {
	return !now.Before(s.Expires) || now.Sub(s.Seen) >= SessionIdle
}

// begin makes a session for a user as the record is now.
func (u *Users) begin(ctx context.Context, user storedUser, from SignInFrom) (token string, _ Session, err error) {
	if err := u.makeRoom(ctx, user); err != nil {
		return "", Session{}, err
	}
	now := u.stamp()
	s := storedSession{Session: Session{
		ID: strings.ToLower(rand.Text()[:16]), User: user.Name,
		Created: now, Seen: now, Expires: now.Add(SessionLife),
		Address: clip(from.Address, 64), Agent: clip(from.Agent, 256),
	}, Generation: user.Generation}
	token = strings.ToLower(rand.Text())
	if err := u.putSession(ctx, tokenKey(token), s, 0); err != nil {
		return "", Session{}, err
	}
	return token, s.Session, nil
}

// clip makes text from outside short, and UTF-8.
func clip(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

func (u *Users) putSession(ctx context.Context, key string, s storedSession, revision uint64) error {
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = u.records.PutRecord(ctx, sessionBucket, Record{Key: key, Value: value, Revision: revision})
	if err != nil {
		return fmt.Errorf("write a session of user %q: %w", s.User, err)
	}
	return nil
}

func readSession(r Record) (s storedSession, err error) {
	if err := json.Unmarshal(r.Value, &s); err != nil {
		return s, fmt.Errorf("record of a session is malformed: %w", err)
	}
	return s, nil
}

// Session returns the session of a token, and its user as the record is now. It
// fails with ErrNoSession if the session has ended for whatever reason. A
// session that is used goes on.
func (u *Users) Session(ctx context.Context, token string) (Session, User, error) {
	s, user, _, err := u.session(ctx, token)
	return s.Session, user.User, err
}

func (u *Users) session(ctx context.Context, token string) (s storedSession, user storedUser, revision uint64, err error) {
	key := tokenKey(token)
	r, err := u.records.Record(ctx, sessionBucket, key)
	if errors.Is(err, ErrNoRecord) {
		return s, user, 0, ErrNoSession
	}
	if err != nil {
		return s, user, 0, fmt.Errorf("read a session: %w", err)
	}
	if s, err = readSession(r); err != nil {
		return s, user, 0, err
	}
	now := u.stamp()
	if s.over(now) {
		return storedSession{}, user, 0, ErrNoSession
	}
	user, _, err = u.user(ctx, s.User)
	if errors.Is(err, ErrNoUser) || err == nil && !s.of(user) {
		return storedSession{}, storedUser{}, 0, ErrNoSession
	}
	if err != nil {
		return storedSession{}, storedUser{}, 0, err
	}
	if now.Sub(s.Seen) >= seenEvery {
		// If it can't be written, somebody else has written it or ended the
		// session, or the disk is full, and then people must still be able to look.
		s.Seen = now
		_ = u.putSession(ctx, key, s, r.Revision)
	}
	return s, user, r.Revision, nil
}

// of reports whether the session is one of the user's that count.
func (s *storedSession) of(user storedUser) bool {
	return !user.Disabled && s.Generation == user.Generation && folded(s.User) == folded(user.Name)
}

// SignOut ends the session of a token. Ending it again changes nothing.
func (u *Users) SignOut(ctx context.Context, token string) error {
	return u.endSession(ctx, tokenKey(token))
}

func (u *Users) endSession(ctx context.Context, key string) error {
	for {
		r, err := u.records.Record(ctx, sessionBucket, key)
		if errors.Is(err, ErrNoRecord) {
			return nil
		}
		if err == nil {
			err = u.records.DeleteRecord(ctx, sessionBucket, r)
		}
		if errors.Is(err, ErrConflict) {
			continue // it was used meanwhile
		}
		if err != nil {
			return fmt.Errorf("end a session: %w", err)
		}
		return nil
	}
}

// SignOutEverywhere ends all sessions of a user. It fails with ErrNoUser.
func (u *Users) SignOutEverywhere(ctx context.Context, name string) error {
	_, err := u.change(ctx, name, func(s *storedUser) error { s.endSessions(); return nil })
	return err
}

// EndSession ends the session of a user with this id. It fails with ErrNoUser, or
// with ErrNoSession if the user has no such session.
func (u *Users) EndSession(ctx context.Context, name, id string) error {
	held, err := u.sessionsOf(ctx, name)
	if err != nil {
		return err
	}
	for _, h := range held {
		if h.ID == id {
			return u.endSession(ctx, h.key)
		}
	}
	return ErrNoSession
}

// Sessions lists the sessions of a user, the one that was used last first. It
// fails with ErrNoUser.
func (u *Users) Sessions(ctx context.Context, name string) ([]Session, error) {
	held, err := u.sessionsOf(ctx, name)
	all := make([]Session, len(held))
	for i, h := range held {
		all[i] = h.Session
	}
	return all, err
}

type heldSession struct {
	Session
	key string
}

func (u *Users) sessionsOf(ctx context.Context, name string) ([]heldSession, error) {
	user, _, err := u.user(ctx, name)
	if err != nil {
		return nil, err
	}
	records, err := u.records.Records(ctx, sessionBucket)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	var all []heldSession
	now := u.stamp()
	for _, r := range records {
		s, err := readSession(r)
		if err != nil {
			return nil, err
		}
		if s.of(user) && !s.over(now) {
			all = append(all, heldSession{s.Session, r.Key})
		}
	}
	slices.SortFunc(all, func(a, b heldSession) int {
		return cmp.Or(b.Seen.Compare(a.Seen), b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// makeRoom ends sessions so that the user can have one more.
func (u *Users) makeRoom(ctx context.Context, user storedUser) error {
	held, err := u.sessionsOf(ctx, user.Name)
	if err != nil {
		return err
	}
	for len(held) >= maxSessions {
		last := len(held) - 1
		if err := u.endSession(ctx, held[last].key); err != nil {
			return err
		}
		held = held[:last]
	}
	return nil
}

// PruneSessions deletes what is left of sessions that have ended, and returns of
// how many. Call it now and then.
func (u *Users) PruneSessions(ctx context.Context) (int, error) {
	records, err := u.records.Records(ctx, sessionBucket)
	if err != nil {
		return 0, fmt.Errorf("read sessions: %w", err)
	}
	// Users are read after the sessions, so that each session's user is there.
	users, err := u.all(ctx)
	if err != nil {
		return 0, err
	}
	byKey := make(map[string]storedUser, len(users))
	for _, user := range users {
		byKey[folded(user.Name)] = user
	}
	pruned, now := 0, u.stamp()
	for _, r := range records {
		s, err := readSession(r)
		if err != nil {
			return pruned, err
		}
		if user, known := byKey[folded(s.User)]; known && s.of(user) && !s.over(now) {
			continue
		}
		err = u.records.DeleteRecord(ctx, sessionBucket, r)
		if errors.Is(err, ErrConflict) {
			continue // it changed meanwhile; next time
		}
		if err != nil {
			return pruned, fmt.Errorf("prune sessions: %w", err)
		}
		pruned++
	}
	return pruned, nil
}
