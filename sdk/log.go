package sdk

import (
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// logLevelKey is the environment variable that says from which level on a
// plugin logs.
const logLevelKey = "RESTANTE_LOG_LEVEL"

// stderr is the standard error that the process was started with. go-plugin
// puts another file in os.Stderr, whose output is lost when the process ends.
var stderr = os.Stderr

var root = sync.OnceValue(func() hclog.Logger { return newLogger(os.Getenv(logLevelKey)) })

func newLogger(level string) hclog.Logger {
	threshold := hclog.LevelFromString(level)
	if threshold == hclog.NoLevel {
		threshold = hclog.Info
	}
	return hclog.New(&hclog.LoggerOptions{
		Name:       "plugin",
		Level:      threshold,
		Output:     stderr,
		JSONFormat: true,
	})
}

// Logger returns the plugin's logger, which writes to the daemon's log through
// standard error. It may be used at any time, before Serve too, and is safe for
// concurrent use. The level comes from RESTANTE_LOG_LEVEL and is info if that
// is not set. Don't log the data of messages: logs are read by more people, and
// kept for longer, than messages are.
func Logger() hclog.Logger { return root() }
