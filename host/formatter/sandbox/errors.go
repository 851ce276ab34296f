package sandbox

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoMain: the program that uses the package does not call Main first, so it
// can't start anything in the sandbox.
var ErrNoMain = errors.New("sandbox.Main must be the first call in the program's main function")

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
