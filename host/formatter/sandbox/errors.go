package sandbox

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoClock: a program's clock can't be moved on this system. What wraps it
// says why.
var ErrNoClock = errors.New("the clock can't be moved here")

// MissingError says which layers can't be had, and what to do.
type MissingError struct {
	Layers []Layer
}

func (e *MissingError) Error() string {
	var parts []string
	for _, l := range e.Layers {
		part := fmt.Sprintf("%s (%s)", l.Name, l.Reason)
		if l.Remedy != "" {
			part = fmt.Sprintf("%s (%s; %s)", l.Name, l.Reason, l.Remedy)
		}
		parts = append(parts, part)
	}
	return fmt.Sprintf("the sandbox is not complete on this system; missing: %s; to do without, set sandbox = %q", strings.Join(parts, ", "), BestEffort)
}
