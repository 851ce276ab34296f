package sandbox

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"unicode/utf8"
)

// FailedStatus is the exit status of a process that could not be shut in, and
// so never became the program. Its standard error has one line that says which
// step failed.
const FailedStatus = 125

// Config says how programs are to be shut in.
type Config struct {
	// Mode is Enforce if empty.
	Mode Mode
	// Limits of each process.
	Limits Limits
	// Support is what Probe found.
	Support Support
	// Readable are more files and folders that scripts and dynamically linked
	// programs may read, such as an interpreter below /opt. They can always
	// read /usr, /lib and the like.
	Readable []string
	// Images, if set, keeps what was read of executables for their next start.
	// Several sandboxes may share it.
	Images *Images
}

// Sandbox makes commands that run shut in. It is safe for concurrent use.
type Sandbox struct {
	config Config
}

// New returns a sandbox. It fails only if the configuration makes no sense;
// what the system does not give shows in Command.
func New(config Config) (*Sandbox, error) {
	var err error
	if config.Mode, err = ParseMode(string(config.Mode)); err != nil {
		return nil, err
	}
	if config.Limits, err = config.Limits.withDefaults(); err != nil {
		return nil, err
	}
	config.Readable = append([]string(nil), config.Readable...)
	for i, path := range config.Readable {
		if !filepath.IsAbs(path) || filepath.Clean(path) == "/" {
			return nil, fmt.Errorf("sandbox: readable path %q is not the full path of a file or folder", path)
		}
		config.Readable[i] = filepath.Clean(path)
	}
	return &Sandbox{config: config}, nil
}

// Program is one start of one program.
type Program struct {
	// Name is its argv[0]. A script's interpreter has its own.
	Name string
	// Path is its file, an executable or a script that begins with "#!".
	Path string
	// Digest is the SHA-256 of the file in hexadecimal. If it is set, nothing
	// else is run: the bytes that are checked are the bytes that are run.
	Digest string
	// Dir is the only folder that the program may write to, such as for its
	// socket. It has the same path inside. If the daemon is root and programs
	// get another user, the folder is given to that user.
	Dir string
	// Clock, if set, is the wall clock that the program sees. It takes a call of
	// Clock.Started to start the program then, in every mode.
	Clock *Clock
}

// Command returns a command that starts the program shut in. The caller sets
// its environment, which is passed on exactly, its standard files, of which
// three and no other files reach the program, and its process group. The
// process is killed when the thread that starts it ends.
//
// The program is process 1 of its own where there are namespaces: there a
// signal other than SIGKILL and SIGSTOP does nothing unless the program handles
// it, and when it ends, all that it may have started ends, too.
//
// The command's ExtraFiles belong to the sandbox. The caller closes them once
// the command is started, or will not be; else the garbage collector does. The
// command starts once.
//
// In the mode Enforce it fails with a *MissingError if a layer can't be had.
func (s *Sandbox) Command(p Program) (*exec.Cmd, error) {
	switch {
	case p.Name == "":
		return nil, errors.New("sandbox: Program.Name is empty")
	case !filepath.IsAbs(p.Path) || !utf8.ValidString(p.Path):
		return nil, fmt.Errorf("sandbox: the path of the program, %q, is not a full path in UTF-8", p.Path)
	case !filepath.IsAbs(p.Dir) || !utf8.ValidString(p.Dir):
		return nil, fmt.Errorf("sandbox: the folder of the program, %q, is not a full path in UTF-8", p.Dir)
	}
	p.Path, p.Dir = filepath.Clean(p.Path), filepath.Clean(p.Dir)
	tier := s.config.Support.Tier()
	if p.Clock == nil && (s.config.Mode == Off || s.config.Mode == BestEffort && tier == None) {
		return &exec.Cmd{Path: p.Path, Args: []string{p.Name}}, nil
	}
	if s.config.Mode == Enforce {
		if err := s.config.Support.Missing(); err != nil {
			return nil, err
		}
	}
	return s.command(p)
}
