//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a rule may allow.
const (
	mayRead    = unix.LANDLOCK_ACCESS_FS_READ_FILE
	mayRun     = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE
	mayRunAll  = mayRun | unix.LANDLOCK_ACCESS_FS_READ_DIR
	mayReadAll = mayRead | unix.LANDLOCK_ACCESS_FS_READ_DIR
	// mayServe is what it takes to make a socket and clear it away, by way of a
	// temporary file if need be.
	mayServe = mayReadAll | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	// ofFiles are the rights that a rule for a single file may have.
	ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
		unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// restrictFiles forbids this thread, and what it becomes, all use of files but
// what the orders allow, and with newer kernels TCP, abstract sockets and
// signals to others. no_new_privs must be set.
func restrictFiles(o orders) error {
	version, _, number := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if number != 0 {
		return fmt.Errorf("ask for Landlock: %w", number)
	}
	ruled := rulesOf(int(version))
	ruleset, _, number := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&ruled)), unsafe.Sizeof(ruled), 0)
	if number != 0 {
		return fmt.Errorf("make a set of rules: %w", number)
	}
	allow := func(path string, rights uint64) error {
		return allowPath(int(ruleset), path, rights&ruled.Handled_access_fs)
	}
	faults := []error{allow(o.Dir, mayServe)}
	for _, path := range o.Readable {
		faults = append(faults, allow(path, mayRunAll))
	}
	if len(o.Interpreter) > 0 {
		faults = append(faults, allow(o.Path, mayRead))
	}
	for _, path := range devices() {
		faults = append(faults, allow(path, mayRead|unix.LANDLOCK_ACCESS_FS_WRITE_FILE))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if _, _, number := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); number != 0 {
		return fmt.Errorf("apply the rules: %w", number)
	}
	return unix.Close(int(ruleset))
}

// rulesOf returns all that a version of Landlock can rule. The first is enough:
// what it lacks, the system call filter refuses.
func rulesOf(version int) unix.LandlockRulesetAttr {
	r := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_REFER - 1}
	if version >= 2 {
		r.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		r.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		r.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= 5 {
		r.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		r.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return r
}

// allowPath adds a rule for a path and what is below it. A path that does not
// exist needs none.
func allowPath(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }()
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	if info.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= ofFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	if _, _, number := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); number != 0 {
		return fmt.Errorf("add a rule for %s: %w", path, number)
	}
	return nil
}
