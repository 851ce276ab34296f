package host

import (
	"fmt"
	"slices"
)

// Role is what a user may do on the pages. Each role may do all that those
// before it may.
type Role string

const (
	// Viewer may look at everything but secrets, and change nothing.
	Viewer Role = "viewer"
	// Operator may look after messages and plugins.
	Operator Role = "operator"
	// Admin may also look after users and API keys.
	Admin Role = "admin"
)

// roles are in the order of what they may do.
var roles = [...]Role{Viewer, Operator, Admin}

// ParseRole reads "viewer", "operator" or "admin".
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(roles[:], r) {
		return r, nil
	}
	return "", fmt.Errorf("unknown role %q: use \"viewer\", \"operator\" or \"admin\"", s)
}

// Allows reports whether the role may do what takes the role need. A role that
// ParseRole does not know allows nothing and is never enough.
func (r Role) Allows(need Role) bool {
	has, needs := slices.Index(roles[:], r), slices.Index(roles[:], need)
	return needs >= 0 && has >= needs
}
