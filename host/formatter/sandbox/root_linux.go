//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// devices are what runtimes expect to find in any root.
func devices() []string { return []string{"/dev/null", "/dev/urandom"} }

// graft is a file or folder of the host that appears in the new root.
type graft struct {
	path     string
	tree     int // a copy of the mount, attached nowhere
	folder   bool
	readOnly bool
}

// newRoot makes a root folder with nothing in it but the folder of the program,
// the paths that it may read, and a script, and forgets the old root. This
// process must have a mount namespace of its own.
func newRoot(o orders, script []byte) error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keep our mounts to ourselves: %w", err)
	}
	// The program may have another user than we, and must get through folders
	// that we make now.
	umask := unix.Umask(0o022)
	defer unix.Umask(umask)
	var grafts []graft
	var links [][2]string
	for _, path := range append(o.Readable, devices()...) {
		if covered(grafts, path) {
			continue
		}
		g, link, err := cut(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case link != "":
			links = append(links, [2]string{link, path})
		default:
			g.readOnly = true
			grafts = append(grafts, g)
		}
	}
	own, _, err := cut(o.Dir)
	if err != nil {
		return err
	}
	grafts = append(grafts, own)

	// The new root is mounted over the program's folder, which surely exists,
	// and of which we hold a copy by now. Only we see it there.
	base := o.Dir
	size := fmt.Sprintf("mode=0755,nr_inodes=1024,size=%d", 256<<10+len(script))
	if err := unix.Mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, size); err != nil {
		return fmt.Errorf("mount an empty root: %w", err)
	}
	for _, g := range grafts {
		if err := g.attach(base); err != nil {
			return err
		}
	}
	for _, link := range links {
		at := filepath.Join(base, link[1])
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(link[0], at); err != nil {
			return err
		}
	}
	if script != nil && !covered(grafts, o.Path) {
		at := filepath.Join(base, o.Path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, script, 0o444); err != nil {
			return err
		}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, base, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("make the root read-only: %w", err)
	}
	// With both arguments the same, the old root ends up mounted over the new
	// one, from where it is taken off (pivot_root(2), NOTES).
	if err := os.Chdir(base); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	return os.Chdir("/")
}

// covered tells whether a path is below one that is taken along.
func covered(grafts []graft, path string) bool {
	return slices.ContainsFunc(grafts, func(g graft) bool { return path == g.path || strings.HasPrefix(path, g.path+"/") })
}

// cut takes a copy of a path's mount, or returns where a symbolic link points.
func cut(path string) (g graft, link string, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return graft{}, "", err
	}
	if info.Mode().Type() == fs.ModeSymlink {
		link, err = os.Readlink(path)
		return graft{}, link, err
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return graft{}, "", fmt.Errorf("take %s along: %w", path, err)
	}
	return graft{path: path, tree: tree, folder: info.IsDir()}, "", nil
}

// attach mounts the graft at its own path below the base.
func (g graft) attach(base string) error {
	at := filepath.Join(base, g.path)
	if g.folder {
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
	} else {
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, nil, 0o444); err != nil {
			return err
		}
	}
	if err := unix.MoveMount(g.tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s: %w", g.path, err)
	}
	_ = unix.Close(g.tree)
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID}
	if g.readOnly {
		attributes.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, at, unix.AT_RECURSIVE, &attributes); err != nil {
		return fmt.Errorf("restrict %s: %w", g.path, err)
	}
	return nil
}
