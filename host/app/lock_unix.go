//go:build linux || darwin

package app

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/restante/restante/host"
)

// lock locks a file, which it makes, until unlock is called or the process ends. It
// fails with host.ErrInUse if another process has it locked.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = host.ErrInUse
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	return f.Close, nil
}
