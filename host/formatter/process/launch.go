package process

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// launch starts the command and returns our ends of its output.
func (r *runner) launch() (outR, errR *os.File, cmd *exec.Cmd, err error) {
	if cmd, err = r.config.Command(r.dir); err != nil {
		return nil, nil, nil, err
	}
	defer closeAll(cmd.ExtraFiles) // the process has them
	var theirs, ours []*os.File
	defer func() {
		closeAll(theirs)
		if err != nil {
			closeAll(ours)
		}
	}()
	pipe := func(toPlugin bool) (our, their *os.File) {
		read, write, pipeErr := os.Pipe()
		if pipeErr != nil {
			err = errors.Join(err, pipeErr)
			return nil, nil
		}
		our, their = read, write
		if toPlugin {
			our, their = write, read
		}
		ours, theirs = append(ours, our), append(theirs, their)
		return our, their
	}
	in, stdin := pipe(true)
	outR, stdout := pipe(false)
	errR, stderr := pipe(false)
	if err != nil {
		return nil, nil, nil, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if len(cmd.Args) == 0 {
		cmd.Args = []string{r.config.Name}
	}
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.Env = environment(r.dir, r.config.Log.GetLevel(), r.env)
	if r.config.Memory > 0 {
		// Go's collector works harder before it is too late. The rest is for
		// what it does not count.
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+strconv.FormatInt(r.config.Memory/4*3, 10))
	}
	cmd.Env = append(cmd.Env, r.config.Environment...) // the last one of a name holds
	contain(cmd)
	if err = startCommand(cmd); err != nil {
		return nil, nil, nil, err
	}
	if r.config.Started != nil {
		if err = r.config.Started(cmd); err != nil {
			_ = killGroup(cmd.Process.Pid)
			_ = cmd.Wait()
			return nil, nil, nil, err
		}
	}
	r.mu.Lock()
	r.stdin = in
	r.mu.Unlock()
	return outR, errR, cmd, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// startCommand starts cmd. A file that was just written is "busy" while another
// child of ours, forked meanwhile and not yet at its exec, still has it open
// for writing; that lasts for a moment (golang/go#22315).
func startCommand(cmd *exec.Cmd) error {
	const tries, pause = 20, 10 * time.Millisecond
	for try := 1; ; try++ {
		attempt := *cmd
		err := attempt.Start()
		if err == nil || !errors.Is(err, syscall.ETXTBSY) || try == tries {
			*cmd = attempt
			return err
		}
		time.Sleep(pause)
	}
}

// pluginPath is the PATH of every plugin, which env finds interpreters by.
const pluginPath = "/usr/bin:/bin"

// environment returns the whole environment of a plugin. Nothing of the
// daemon's own is in it but the level of its log.
func environment(dir string, level hclog.Level, goPlugin []string) []string {
	return append([]string{
		"TZ=UTC", "LANG=C.UTF-8", "HOME=/", "PATH=" + pluginPath, "TMPDIR=" + dir,
		"RESTANTE_LOG_LEVEL=" + level.String(),
	}, goPlugin...)
}
