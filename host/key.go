package host

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// Permission is what an API key allows.
type Permission string

const (
	// MayPoll allows to fetch and mark.
	MayPoll Permission = "poll"
	// MayAdd allows to add messages.
	MayAdd Permission = "add"
	// MaySend allows to trigger sending.
	MaySend Permission = "send"
	// MayReadMetrics allows to read the metrics. They name all groups, so a key
	// for them must be for every group.
	MayReadMetrics Permission = "metrics"
)

// ParsePermission reads "poll", "add", "send" or "metrics".
func ParsePermission(s string) (Permission, error) {
	switch p := Permission(s); p {
	case MayPoll, MayAdd, MaySend, MayReadMetrics:
		return p, nil
	}
	return "", fmt.Errorf("unknown permission %q: use \"poll\", \"add\", \"send\" or \"metrics\"", s)
}

// EveryGroup in Grant.Groups stands for all groups, also later ones.
const EveryGroup GroupName = "*"

// Grant is what a new key is for.
type Grant struct {
	// Note says for people who has the key. It may be empty.
	Note string `json:"note,omitempty"`
	// Groups and Allow hold at least one element each.
	Groups []GroupName  `json:"groups"`
	Allow  []Permission `json:"allow"`
	// Expires is when the key stops working; zero is never.
	Expires time.Time `json:"expires,omitzero"`
}

// Check returns an error that says what is wrong with g.
func (g Grant) Check(now time.Time) error {
	if len(g.Groups) == 0 {
		return fmt.Errorf("a key needs at least one group; %q stands for all", EveryGroup)
	}
	for _, name := range g.Groups {
		if name == EveryGroup {
			continue
		}
		if err := CheckGroupName(name); err != nil {
			return err
		}
	}
	if len(g.Allow) == 0 {
		return fmt.Errorf("a key needs at least one permission: \"poll\", \"add\", \"send\" or \"metrics\"")
	}
	for _, p := range g.Allow {
		if _, err := ParsePermission(string(p)); err != nil {
			return err
		}
	}
	if slices.Contains(g.Allow, MayReadMetrics) && !slices.Contains(g.Groups, EveryGroup) {
		return fmt.Errorf("metrics are of all groups, so a key that allows %q must be for the group %q", MayReadMetrics, EveryGroup)
	}
	if !g.Expires.IsZero() && !g.Expires.After(now) {
		return fmt.Errorf("the key would have expired already, at %s", g.Expires.Format(time.RFC3339))
	}
	return nil
}

// Key is an API key without its secret, of which only a hash is kept.
type Key struct {
	// ID is the public part; it is no secret.
	ID string `json:"id"`
	Grant
	Created time.Time `json:"created"`
	// Revoked is when the key was revoked; zero if it was not.
	Revoked time.Time `json:"revoked,omitzero"`
	// Used is when it was last used, to about a minute; zero is never.
	Used time.Time `json:"used,omitzero"`
}

// IsFor reports whether the grant is for the group.
func (g Grant) IsFor(group GroupName) bool {
	return slices.Contains(g.Groups, group) || slices.Contains(g.Groups, EveryGroup)
}

// Allows reports whether the key permits p for the group.
func (k Key) Allows(g GroupName, p Permission) bool {
	return slices.Contains(k.Allow, p) && k.IsFor(g)
}

// storedKey is the record of a key.
type storedKey struct {
	Key
	Hash [sha256.Size]byte `json:"hash"`
}
