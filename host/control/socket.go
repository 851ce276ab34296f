package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// SocketName is the name of the control socket in the data folder.
const SocketName = "control.sock"

// maxSocketPath is what every system allows for the path of a unix socket.
const maxSocketPath = 103

// Listen makes the control socket, for its owner alone, in place of one that a
// killed daemon left behind. Whoever calls it must hold the store: that is what
// keeps two daemons apart.
func Listen(data string) (net.Listener, error) {
	path := filepath.Join(data, SocketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the old control socket: %w", err)
	}
	short, release, err := socketPath(data)
	if err != nil {
		return nil, err
	}
	defer release()
	// The data folder is closed to others, so nobody can connect before the
	// mode is set.
	l, err := net.Listen("unix", short)
	if err != nil {
		return nil, fmt.Errorf("make the control socket %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it may know only a short-lived name
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("make the control socket: %w", err)
	}
	return l, nil
}

// Remove deletes the control socket after its listener was closed.
func Remove(data string) { os.Remove(filepath.Join(data, SocketName)) }

func dialSocket(ctx context.Context, data string) (net.Conn, error) {
	short, release, err := socketPath(data)
	if err != nil {
		return nil, err
	}
	defer release()
	var d net.Dialer
	return d.DialContext(ctx, "unix", short)
}

// Absent reports whether err says that no daemon listens on the socket.
func Absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// socketPath returns a path of the socket that is short enough for the system,
// valid until release is called.
func socketPath(data string) (path string, release func(), err error) {
	path = filepath.Join(data, SocketName)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("the path %s has %d bytes, but a socket's may have %d: use a shorter data folder", path, len(path), maxSocketPath)
	}
	folder, err := os.Open(data)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), SocketName), func() { folder.Close() }, nil
}
