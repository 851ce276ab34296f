//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// orders are what the trampoline is to do.
type orders struct {
	// Layers to apply.
	Layers []LayerName
	// User is the user and group to become; 0 stays as it is.
	User int
	// Host is the process id of the daemon.
	Host int

	Name, Path, Dir string
	Interpreter     []string
	// Readable are the paths that may be read and executed.
	Readable []string

	// The limits; Unlimited sets none. Threads is what the kernel is told.
	Memory         int64
	Files, Threads int

	// clock is moved, if it is set; clockFile is the number of the socket that
	// hands it over.
	clock     *Clock
	clockFile int

	// Trial ends in place of the last exec: Probe only wants to know whether
	// the way is free.
	Trial bool
}

func (o orders) has(name LayerName) bool {
	return slices.Contains(o.Layers, name)
}

// plugin is the user that programs get when the daemon is root. It owns nothing
// but their folders.
const pluginUser = 65534 // nobody

func (s *Sandbox) command(p Program) (*exec.Cmd, error) {
	image, err := inspect(p.Path, s.config.Readable)
	if err != nil {
		return nil, err
	}
	loaded, err := s.load(p, len(image.interpreter) > 0)
	if err != nil {
		return nil, err
	}
	support, limits := s.config.Support, s.config.Limits
	if s.config.Mode == Off {
		support = Support{}
	}
	o := orders{
		Name: p.Name, Path: p.Path, Dir: p.Dir, clock: p.Clock,
		Interpreter: image.interpreter,
		Memory:      limits.Memory, Files: limits.Files, Threads: limits.Threads,
	}
	for _, l := range support.layers {
		if l.OK {
			o.Layers = append(o.Layers, l.Name)
		}
	}
	if image.shared {
		o.Readable = systemPaths()
		for _, path := range s.config.Readable {
			o.Readable = append(o.Readable, path)
			if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
				o.Readable = append(o.Readable, real)
			}
		}
	}
	return o.command(support.userNamespace, support.otherUser, loaded)
}

// command makes the command of a trampoline with these orders, which takes the
// program's files over.
func (o orders) command(userNamespace, otherUser bool, p program) (*exec.Cmd, error) {
	o.Host = os.Getpid()
	own := os.Geteuid()
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if o.has(Namespaces) {
		attributes.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
		users, groups := []int{own}, []int{os.Getegid()}
		if otherUser {
			o.User = pluginUser
			users, groups = append(users, pluginUser), append(groups, pluginUser)
		}
		if userNamespace {
			attributes.Cloneflags |= unix.CLONE_NEWUSER
			attributes.UidMappings, attributes.GidMappings = sameIDs(users), sameIDs(groups)
			attributes.GidMappingsEnableSetgroups = otherUser
		}
		if own != 0 {
			// Else the exec of the trampoline would drop them.
			attributes.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
		}
	}
	if o.has(ResourceLimits) && o.Threads != Unlimited && !(o.has(Namespaces) && userNamespace) {
		user := own
		if o.User != 0 {
			user = o.User
		}
		o.Threads = threadsOf(user) + 4*o.Threads
	}
	return o.launcher(attributes, p)
}

// firstFile is the number that the first of exec.Cmd.ExtraFiles gets.
const firstFile = 3

func (o orders) launcher(attributes *syscall.SysProcAttr, p program) (cmd *exec.Cmd, err error) {
	files := []*os.File{nil} // the trampoline
	defer func() {
		for _, f := range files {
			if err != nil && f != nil {
				_ = f.Close()
			}
		}
	}()
	sealedFile := 0
	if p.sealed != nil {
		sealedFile = firstFile + len(files)
		files = append(files, p.sealed)
	}
	if o.clock != nil {
		theirs, err := o.clock.prepare(attributes)
		if err != nil {
			return nil, err
		}
		o.clockFile = firstFile + len(files)
		files = append(files, theirs)
	}
	if files[0], err = o.trampoline(p, sealedFile); err != nil {
		return nil, err
	}
	return &exec.Cmd{
		Path:        fmt.Sprintf("/proc/self/fd/%d", firstFile),
		Args:        []string{trampolineName},
		ExtraFiles:  files,
		SysProcAttr: attributes,
	}, nil
}

// sameIDs maps each id to itself.
func sameIDs(ids []int) []syscall.SysProcIDMap {
	var maps []syscall.SysProcIDMap
	for _, id := range ids {
		maps = append(maps, syscall.SysProcIDMap{ContainerID: id, HostID: id, Size: 1})
	}
	return maps
}
