package process

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/proto/handshake"
)

// Config says what to run and within which limits.
type Config struct {
	// Name is what the operator calls the plugin, such as its file name. It
	// names the logger and is the process's argv[0].
	Name string

	// Path is the file that is run. It must not change any more.
	Path string

	// Command makes the command that runs Path; nil runs it directly. The
	// process may use dir, a private folder, for its socket and its temporary
	// files. The command's environment, standard files and process group are
	// set by Start, which closes the command's ExtraFiles.
	Command func(dir string) (*exec.Cmd, error)

	// Started, if it is set, is called when the process was started, on the
	// thread that started it and before anything else is done with it, for what
	// only that thread can do, such as tracing. If it fails, so does the start.
	Started func(cmd *exec.Cmd) error

	// Attach, if it is set, names a process that runs already, such as one under
	// a debugger, in the place of Path and Command. It is never ended, only let
	// go of.
	Attach *Attachment

	// Memory is how many bytes of memory the process may have, for it to know;
	// Command holds it to that. 0 if there is no limit.
	Memory int64

	// Environment holds more variables, as NAME=VALUE, which win over those that
	// every plugin has.
	Environment []string

	// Sockets is the folder in which each process gets its private folder; ""
	// chooses one: see SocketFolder. Paths of sockets can't be longer than
	// about 100 bytes.
	Sockets string

	// HostVersion is the daemon's version, for the plugin's log.
	HostVersion string

	// Log gets what the plugin logs and prints.
	Log hclog.Logger

	// StartTimeout is how long the plugin may take to announce itself and
	// accept a connection: 10 seconds if 0.
	StartTimeout time.Duration
	// DiscoverTimeout bounds a call to Discover or Configure: 5 seconds if 0.
	DiscoverTimeout time.Duration
	// CallTimeout bounds any other call: 30 seconds if 0.
	CallTimeout time.Duration
	// Grace is how long the process may take to end when it is asked to: 2
	// seconds if 0. After it comes SIGTERM, and half a second later SIGKILL.
	Grace time.Duration
	// MaxMessageBytes is the largest request and the largest reply:
	// handshake.MaxMessageBytes if 0.
	MaxMessageBytes int
}

// withDefaults returns the config with every zero limit replaced.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Name == "":
		return c, errors.New("process config: Name is empty")
	case c.Attach != nil && !filepath.IsAbs(c.Attach.Address):
		return c, fmt.Errorf("process config: the socket %q is not an absolute path", c.Attach.Address)
	case c.Path == "" && c.Attach == nil:
		return c, errors.New("process config: Path is empty")
	case c.Log == nil:
		return c, errors.New("process config: Log is nil")
	case c.StartTimeout < 0, c.DiscoverTimeout < 0, c.CallTimeout < 0, c.Grace < 0:
		return c, errors.New("process config: a timeout is negative")
	case c.MaxMessageBytes < 0, c.MaxMessageBytes > handshake.MaxMessageBytes:
		return c, fmt.Errorf("process config: MaxMessageBytes is %d, at most %d are allowed", c.MaxMessageBytes, handshake.MaxMessageBytes)
	}
	c.StartTimeout = cmp.Or(c.StartTimeout, 10*time.Second)
	c.DiscoverTimeout = cmp.Or(c.DiscoverTimeout, 5*time.Second)
	c.CallTimeout = cmp.Or(c.CallTimeout, 30*time.Second)
	c.Grace = cmp.Or(c.Grace, 2*time.Second)
	c.MaxMessageBytes = cmp.Or(c.MaxMessageBytes, handshake.MaxMessageBytes)
	c.Sockets = cmp.Or(c.Sockets, SocketFolder())
	if c.Command == nil {
		path := c.Path
		c.Command = func(string) (*exec.Cmd, error) { return &exec.Cmd{Path: path}, nil }
	}
	return c, nil
}
