package host

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// User is a person who may sign in on the pages. What proves who it is, a hash
// of the password, is kept apart and never shown.
type User struct {
	// Name is how the user signs in and is shown. Two users never have names
	// that differ in case alone.
	Name string `json:"name"`
	// FullName is for people; it may be empty.
	FullName string    `json:"fullName,omitempty"`
	Role     Role      `json:"role"`
	Created  time.Time `json:"created"`
	// Disabled users can't sign in.
	Disabled bool `json:"disabled,omitempty"`
	// LastSignIn is zero if the user never signed in.
	LastSignIn time.Time `json:"lastSignIn,omitzero"`
	// External users sign in by OpenID Connect, as Subject of Issuer. Their role
	// is what the provider says, and they have no password.
	External bool   `json:"external,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	Subject  string `json:"subject,omitempty"`
	// HasPassword says that the user can sign in with one.
	HasPassword bool `json:"hasPassword"`
}

// storedUser is the record of a user.
type storedUser struct {
	User
	// Hash is of the password, as the PasswordHasher writes it.
	Hash string `json:"hash,omitempty"`
	// Generation is random, and that of every session that counts. A new one
	// ends all sessions in the very write that changes the user, also those that
	// are being made at the moment.
	Generation string `json:"generation"`
	// Accepted is the id of the last invitation that was used.
	Accepted string `json:"accepted,omitempty"`
}

func (s *storedUser) endSessions() { s.Generation = rand.Text() }

// administers reports whether the user is one of those of whom one must be left.
func (s *storedUser) administers() bool { return s.Role == Admin && !s.Disabled }

func readUser(r Record) (s storedUser, err error) {
	if err := json.Unmarshal(r.Value, &s); err != nil {
		return s, fmt.Errorf("record of user %q is malformed: %w", r.Key, err)
	}
	s.HasPassword = s.Hash != ""
	return s, nil
}

// MaxUserName is the longest name of a user, in characters.
const MaxUserName = 128

// CheckUserName returns an error that says what is wrong with the name. E-mail
// addresses are good names, and spaces are allowed within. Control characters,
// and those that are not seen or turn text around, are not.
func CheckUserName(name string) error {
	bad := func(why string) error { return fmt.Errorf("%w: %q %s", ErrBadUserName, name, why) }
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrBadUserName)
	case !utf8.ValidString(name):
		return bad("is not UTF-8")
	case utf8.RuneCountInString(name) > MaxUserName:
		return fmt.Errorf("%w: it has more than %d characters", ErrBadUserName, MaxUserName)
	case strings.TrimSpace(name) != name:
		return bad("begins or ends with a space")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return bad(fmt.Sprintf("has the character %U", r))
		}
	}
	return nil
}

// folded returns the key of a name: the same for names that strings.EqualFold
// takes for equal.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
