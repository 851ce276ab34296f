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
	"unsafe"

	"golang.org/x/sys/unix"
)

// devices are what runtimes expect to find in any root.
func devices() []string { return []string{"/dev/null", "/dev/urandom"} }

// graft is a file or folder of the host that appears in the new root.
type graft struct {
	path     string
	tree     int // the call that makes a copy of the mount, attached nowhere
	folder   bool
	readOnly bool
}

// newRoot makes a root folder with nothing in it but the folder of the program,
// the paths that it may read, and a script, and forgets the old root. The
// process must have a mount namespace of its own.
func (s *steps) newRoot(o orders, script []byte) error {
	s.begin("keep our mounts to ourselves")
	s.call(unix.SYS_MOUNT, s.text(""), s.text("/"), s.text(""), unix.MS_PRIVATE|unix.MS_REC)
	// The program may have another user than we, and must get through folders
	// that we make now.
	s.begin("make an empty root")
	umask := s.call(unix.SYS_UMASK, 0o022)
	var grafts []graft
	var links [][2]string
	for _, path := range append(o.Readable, devices()...) {
		if covered(grafts, path) {
			continue
		}
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case info.Mode().Type() == fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			links = append(links, [2]string{link, path})
		default:
			grafts = append(grafts, graft{path: path, tree: s.cut(path), folder: info.IsDir(), readOnly: true})
		}
	}
	grafts = append(grafts, graft{path: o.Dir, tree: s.cut(o.Dir), folder: true})

	// The new root is mounted over the program's folder, which surely exists,
	// and of which we hold a copy by now. Only we see it there.
	base := o.Dir
	size := fmt.Sprintf("mode=0755,nr_inodes=1024,size=%d", 256<<10+len(script))
	s.begin("mount an empty root")
	s.call(unix.SYS_MOUNT, s.text("tmpfs"), s.text(base), s.text("tmpfs"), unix.MS_NOSUID|unix.MS_NODEV, s.text(size))
	for _, g := range grafts {
		s.attach(base, g)
	}
	for _, link := range links {
		s.begin("link " + link[1])
		s.makeFolders(base, filepath.Dir(link[1]))
		s.call(unix.SYS_SYMLINKAT, s.text(link[0]), here, s.text(base+link[1]))
	}
	if script != nil && !covered(grafts, o.Path) {
		s.begin("copy the script")
		s.makeFolders(base, filepath.Dir(o.Path))
		file := s.open(base+o.Path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
		write := s.call(unix.SYS_WRITE, 0, s.bytes(script), uint64(len(script)))
		s.entries[write].least = int64(len(script))
		s.store(file, write, 0)
		s.store(file, s.call(unix.SYS_CLOSE), 0)
	}
	s.begin("make the root read-only")
	s.mountAttributes(base, 0, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	s.store(umask, s.call(unix.SYS_UMASK), 0)
	// With both arguments the same, the old root ends up mounted over the new
	// one, from where it is taken off (pivot_root(2), NOTES).
	s.begin("change the root")
	dot := s.text(".")
	s.call(unix.SYS_CHDIR, s.text(base))
	s.call(unix.SYS_PIVOT_ROOT, dot, dot)
	s.begin("leave the old root")
	s.call(unix.SYS_UMOUNT2, dot, unix.MNT_DETACH)
	s.call(unix.SYS_CHDIR, s.text("/"))
	return nil
}

// covered tells whether a path is below one that is taken along.
func covered(grafts []graft, path string) bool {
	return slices.ContainsFunc(grafts, func(g graft) bool { return path == g.path || strings.HasPrefix(path, g.path+"/") })
}

// cut takes a copy of a path's mount.
func (s *steps) cut(path string) int {
	s.begin("take " + path + " along")
	return s.call(unix.SYS_OPEN_TREE, here, s.text(path), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
}

// attach mounts a graft at its own path below the base.
func (s *steps) attach(base string, g graft) {
	s.begin("mount " + g.path)
	at := base + g.path
	if g.folder {
		s.makeFolders(base, g.path)
	} else {
		s.makeFolders(base, filepath.Dir(g.path))
		s.call(unix.SYS_MKNODAT, here, s.text(at), unix.S_IFREG|0o444, 0)
	}
	s.store(g.tree, s.call(unix.SYS_MOVE_MOUNT, 0, s.text(""), here, s.text(at), unix.MOVE_MOUNT_F_EMPTY_PATH), 0)
	attributes := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID}
	if g.readOnly {
		attributes.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	s.mountAttributes(at, unix.AT_RECURSIVE, attributes)
}

func (s *steps) mountAttributes(path string, flags uint64, attributes unix.MountAttr) {
	s.call(unix.SYS_MOUNT_SETATTR, here, s.text(path), flags, s.data(attributes), uint64(unsafe.Sizeof(attributes)))
}

// makeFolders makes a folder below the base, and all above it that are missing.
func (s *steps) makeFolders(base, folder string) {
	for i, c := range folder + "/" {
		if c == '/' && i > 0 {
			s.call(unix.SYS_MKDIRAT, here, s.text(base+folder[:i]), 0o755)
			s.tolerate(unix.EEXIST)
		}
	}
}
