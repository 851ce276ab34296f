//go:build unix

package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// moveStdout returns a copy of standard output that no child process inherits,
// and makes file descriptor 1 another name for stderr.
func moveStdout(stderr *os.File) (*os.File, error) {
	const firstFree = 3
	fd, err := unix.FcntlInt(uintptr(unix.Stdout), unix.F_DUPFD_CLOEXEC, firstFree)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup2(int(stderr.Fd()), unix.Stdout); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "stdout"), nil
}
