//go:build !unix

package process

import (
	"errors"
	"os"
	"os/exec"
)

func contain(*exec.Cmd) {}

func killGroup(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer func() { _ = p.Release() }()
	return p.Kill()
}

func terminate(int) error { return errors.ErrUnsupported }

func lockFolder(path string) (*os.File, error) { return os.Open(path) }

func checkPrivate(string) error { return nil }
