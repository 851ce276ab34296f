//go:build amd64 || arm64

package sandbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

func fileAttempts() []attempt {
	return []attempt{
		{name: "read a file of the daemon", try: func(t target) error { _, err := os.ReadFile(t.File); return err }},
		{name: "read /etc/passwd", try: func(target) error { _, err := os.ReadFile("/etc/passwd"); return err }},
		{name: "see whether a file exists", open: "all", try: func(t target) error { _, err := os.Stat(t.File); return err }},
		{name: "list a folder", try: func(t target) error { _, err := os.ReadDir(t.Folder); return err }},
		{name: "write to a file", try: func(t target) error { return closeFile(os.OpenFile(t.File, os.O_WRONLY, 0)) }},
		{name: "make a file", try: func(t target) error {
			return closeFile(os.OpenFile(filepath.Join(t.Folder, "made"), os.O_CREATE|os.O_WRONLY, 0o600))
		}},
		{name: "make a folder", try: func(t target) error { return os.Mkdir(filepath.Join(t.Folder, "folder"), 0o700) }},
		{name: "make a folder in its own", try: func(t target) error { return os.Mkdir(filepath.Join(t.Dir, "folder"), 0o700) }},
		{name: "cut a file off", try: func(t target) error { return unix.Truncate(t.File, 6) }},
		{name: "change a file's mode", try: func(t target) error { return os.Chmod(t.File, 0o600) }},
		{name: "change a file's owner", try: func(t target) error { return os.Lchown(t.File, os.Getuid(), os.Getgid()) }},
		{name: "change a file's time", try: func(t target) error { return os.Chtimes(t.File, time.Time{}, time.Unix(1550239321, 0)) }},
		{name: "rename a file", try: func(t target) error { return os.Rename(t.File+"2", t.File+"3") }},
		{name: "delete a file", try: func(t target) error { return os.Remove(t.Victim) }},
		{name: "link a file to its own folder", try: func(t target) error { return os.Link(t.File, filepath.Join(t.Dir, "link")) }},
		{name: "follow a symbolic link out", try: func(t target) error {
			link := filepath.Join(t.Dir, "symbolic")
			if err := os.Symlink(t.File, link); err != nil {
				return err
			}
			_, err := os.ReadFile(link)
			return err
		}},
		{name: "watch a folder", try: func(t target) error {
			fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
			if err != nil {
				return err
			}
			_, err = unix.InotifyAddWatch(fd, t.Folder, unix.IN_CREATE)
			return err
		}},
		{name: "list extended attributes", try: func(t target) error { _, err := unix.Listxattr(t.File, nil); return err }},
		{name: "open a file by its handle", needs: "root", try: func(t target) error {
			handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, t.File, 0)
			if err != nil {
				return err
			}
			folder, err := unix.Open(t.Folder, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			return closing(unix.OpenByHandleAt(folder, handle, unix.O_RDONLY))
		}},
		{name: "make a device", needs: "root", try: func(t target) error {
			return unix.Mknod(filepath.Join(t.Dir, "null"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
		}},
		{name: "write to shared memory", try: func(t target) error {
			path := fmt.Sprintf("/dev/shm/restante-%d", t.Daemon)
			defer func() { _ = os.Remove(path) }()
			return closeFile(os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600))
		}},
		{name: "list processes", try: func(target) error { _, err := os.ReadDir("/proc"); return err }},
		{name: "read the daemon's environment", try: func(t target) error {
			_, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", t.Daemon))
			return err
		}},
		{name: "open the daemon's memory", try: func(t target) error {
			return closeFile(os.Open(fmt.Sprintf("/proc/%d/mem", t.Daemon)))
		}},
	}
}

func closeFile(f *os.File, err error) error {
	if err == nil {
		_ = f.Close()
	}
	return err
}
