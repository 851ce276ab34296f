package check

import (
	"cmp"
	"encoding/json"
	"errors"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/sandbox"
)

// DefaultRepeats is how often a batch is formatted to see that the document is
// always the same.
const DefaultRepeats = 32

// MaxRepeats is the most that Config.Repeats may be.
const MaxRepeats = 10_000

// Config says what is checked and how.
type Config struct {
	// Path is the plugin's file. It is not run itself, but a private copy.
	Path string
	// Samples are messages by the name of the group, as host.CheckLines
	// returns them. For a group without samples JSON objects are made up.
	Samples map[host.GroupName][]json.RawMessage
	// Settings are values of the plugin's settings, as JSON, by their names.
	Settings map[string]json.RawMessage
	// Sandbox says how much of a sandbox the plugin must run in; sandbox.Enforce
	// if empty.
	Sandbox sandbox.Mode
	// Repeats is how often a batch is formatted, over two processes:
	// DefaultRepeats if 0.
	Repeats int
	// LargeBytes is the size of the messages in the largest batch: 16 MiB if
	// 0. Small messages do not fill it, as there are 50,000 at the most.
	LargeBytes int
	// HostVersion is what the plugin is told of the daemon's version.
	HostVersion string
	// Progress, if set, is called before each step with a few words that name
	// it. It must not block.
	Progress func(step string)

	// StartTimeout, CallTimeout and Grace limit the plugin's processes: see
	// process.Config, whose defaults they have.
	StartTimeout, CallTimeout, Grace time.Duration
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Path == "":
		return c, errors.New("check config: Path is empty")
	case c.Repeats < 0, c.Repeats == 1, c.Repeats > MaxRepeats:
		return c, errors.New("check config: Repeats must be from 2 to 10000")
	case c.LargeBytes < 0, min(c.StartTimeout, c.CallTimeout, c.Grace) < 0:
		return c, errors.New("check config: a limit is negative")
	}
	c.Repeats = cmp.Or(c.Repeats, DefaultRepeats)
	c.LargeBytes = cmp.Or(c.LargeBytes, largeBytes)
	c.Grace = cmp.Or(c.Grace, 2*time.Second)
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c, nil
}
