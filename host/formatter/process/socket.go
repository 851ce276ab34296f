package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The address of a unix socket has room for about 104 bytes of path. What
// follows the base is the prefix and "/plugin-dir" and "/plugin", each with up
// to ten digits.
const (
	maxSocketPath   = 104
	maxSocketSuffix = len("/"+socketPrefix+"/plugin-dir/plugin") + 3*10
	socketPrefix    = "restante-socket-"
)

// SocketFolder returns the folder for sockets: XDG_RUNTIME_DIR, which is the
// user's own, or the one for temporary files, or /tmp, whichever first exists
// and is short enough.
func SocketFolder() string {
	for _, folder := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()} {
		if info, err := os.Stat(folder); err == nil && info.IsDir() && filepath.IsAbs(folder) && len(folder)+maxSocketSuffix <= maxSocketPath {
			return folder
		}
	}
	return "/tmp"
}

// socketFolder is the private folder of one process. It is locked while the
// process lives.
type socketFolder struct {
	path string
	lock *os.File
}

func newSocketFolder(base string) (*socketFolder, error) {
	if len(base)+maxSocketSuffix > maxSocketPath {
		return nil, fmt.Errorf("make a folder for sockets in %s: the path is too long by %d bytes", base, len(base)+maxSocketSuffix-maxSocketPath)
	}
	path, err := os.MkdirTemp(base, socketPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a folder for sockets: %w", err)
	}
	lock, err := lockFolder(path)
	if err == nil {
		if err = checkPrivate(path); err != nil {
			_ = lock.Close()
		}
	}
	if err != nil {
		_ = os.Remove(path)
		return nil, fmt.Errorf("make a folder for sockets: %w", err)
	}
	return &socketFolder{path: path, lock: lock}, nil
}

func (f *socketFolder) remove() {
	_ = os.RemoveAll(f.path)
	_ = f.lock.Close()
}

// SweepSockets removes what processes left behind in a folder for sockets when
// their daemon was killed: sockets and the folders that held nothing else.
// Folders in use are locked and stay, and so does everything that is no socket,
// as the folder is not ours alone.
func SweepSockets(base string) error {
	entries, err := os.ReadDir(base)
	if err != nil {
		return fmt.Errorf("sweep sockets: %w", err)
	}
	var faults []error
	for _, entry := range entries {
		path := filepath.Join(base, entry.Name())
		number, ours := strings.CutPrefix(entry.Name(), socketPrefix)
		if !ours || strings.Trim(number, "0123456789") != "" || !entry.IsDir() || checkPrivate(path) != nil {
			continue
		}
		lock, err := lockFolder(path)
		if err != nil {
			continue // in use
		}
		faults = append(faults, removeSockets(path), lock.Close())
	}
	return errors.Join(faults...)
}

// removeSockets removes a folder with the sockets in it and in the folders
// directly below it. A folder that holds anything else stays, with that in it.
func removeSockets(path string) error {
	below, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range below {
		inner := filepath.Join(path, entry.Name())
		if entry.IsDir() {
			if sockets, err := os.ReadDir(inner); err == nil {
				for _, s := range sockets {
					removeSocket(filepath.Join(inner, s.Name()), s.Type())
				}
			}
			_ = os.Remove(inner) // fails unless it is empty
		} else {
			removeSocket(inner, entry.Type())
		}
	}
	_ = os.Remove(path)
	return nil
}

func removeSocket(path string, mode fs.FileMode) {
	if mode == fs.ModeSocket {
		_ = os.Remove(path)
	}
}

// checkAddress returns an error unless the address is that of a socket directly
// in the folder. A plugin may announce whatever it likes, such as the socket of
// a container daemon.
func checkAddress(folder, network, address string) error {
	if network != "unix" {
		return fmt.Errorf("it announced the address %q, which is not of a unix socket", clip(network+"|"+address, maxFailure))
	}
	if filepath.Clean(address) != address || filepath.Dir(address) != filepath.Clean(folder) {
		return fmt.Errorf("it announced the socket %q, which is not in its own folder (PLUGIN_UNIX_SOCKET_DIR)", clip(address, maxFailure))
	}
	info, err := os.Lstat(address)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("it announced %q, which is not a socket", clip(address, maxFailure))
	}
	return nil
}
