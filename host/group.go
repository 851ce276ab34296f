package host

import (
	"fmt"
	"strings"
)

// GroupName is the name that messages are added under. It is part of URLs and
// of file names, so it is plain: see CheckGroupName.
type GroupName string

// MaxGroupNameBytes is the longest group name.
const MaxGroupNameBytes = 128

// CheckGroupName returns an error that wraps ErrBadGroupName unless g is 1 to
// 128 bytes of ASCII letters, digits, ".", "_", ":" and "-" and begins with a
// letter or digit.
func CheckGroupName(g GroupName) error {
	if g == "" {
		return fmt.Errorf("%w: it is empty", ErrBadGroupName)
	}
	if len(g) > MaxGroupNameBytes {
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrBadGroupName, len(g), MaxGroupNameBytes)
	}
	for i := range len(g) {
		c := g[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && strings.IndexByte("._:-", c) >= 0:
		default:
			return fmt.Errorf("%w: %q has %q at byte %d; use letters, digits, and \".\", \"_\", \":\", \"-\" after the first",
				ErrBadGroupName, string(g), string(c), i+1)
		}
	}
	return nil
}

// Method says how the messages of a group reach the external system.
type Method string

const (
	// Poll groups are fetched by the external system.
	Poll Method = "poll"
	// Send groups are sent to the external system.
	Send Method = "send"
)

// ParseMethod reads "poll" or "send".
func ParseMethod(s string) (Method, error) {
	switch m := Method(s); m {
	case Poll, Send:
		return m, nil
	}
	return "", fmt.Errorf("unknown method %q: use \"poll\" or \"send\"", s)
}
