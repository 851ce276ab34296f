//go:build unix

package process

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// contain gives the process a group of its own, so that all of it can be killed
// and a Ctrl-C in the daemon's terminal does not reach it.
func contain(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if !cmd.SysProcAttr.Setsid {
		cmd.SysProcAttr.Setpgid = true
	}
	parentDeath(cmd)
}

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

func terminate(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }

// lockFolder takes the lock on a folder that says it is in use, or fails at
// once. Cleaners of temporary files leave a locked folder alone (systemd's
// tmpfiles.d, "x" and "age").
func lockFolder(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// checkPrivate returns an error unless the folder is ours and nobody else may
// enter it.
func checkPrivate(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("folder %s is not private to this user", path)
	}
	return nil
}
