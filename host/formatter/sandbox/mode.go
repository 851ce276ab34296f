package sandbox

import "fmt"

// Mode says how much of the sandbox there must be.
type Mode string

const (
	// Enforce starts a program only if every layer can be had.
	Enforce Mode = "enforce"
	// BestEffort uses the layers that can be had, even if there are none.
	BestEffort Mode = "best-effort"
	// Off starts programs as they are.
	Off Mode = "off"
)

// ParseMode reads a mode as it is written in a configuration. Empty text means
// Enforce.
func ParseMode(text string) (Mode, error) {
	switch m := Mode(text); m {
	case "":
		return Enforce, nil
	case Enforce, BestEffort, Off:
		return m, nil
	}
	return "", fmt.Errorf("sandbox mode %q is not known: write %q, %q or %q", text, Enforce, BestEffort, Off)
}
