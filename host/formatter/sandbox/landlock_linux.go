//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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

// rulesetFile is the number that the set of rules has while it is made.
const rulesetFile = 30

// restrictFiles forbids the process, and what it becomes, all use of files but
// what the orders allow, and with newer kernels TCP, abstract sockets and
// signals to others. no_new_privs must be set.
func (s *steps) restrictFiles(o orders) error {
	version, _, number := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if number != 0 {
		return fmt.Errorf("ask for Landlock: %w", number)
	}
	ruled := rulesOf(int(version))
	s.begin("make a set of file rules")
	ruleset := s.call(unix.SYS_LANDLOCK_CREATE_RULESET, s.data(ruled), uint64(unsafe.Sizeof(ruled)), 0)
	s.store(ruleset, s.call(unix.SYS_DUP3, 0, rulesetFile, unix.O_CLOEXEC), 0)
	allow := func(path string, rights uint64) error {
		return s.allowPath(path, rights&ruled.Handled_access_fs)
	}
	s.rule(o.Dir, mayServe&ruled.Handled_access_fs)
	var faults []error
	for _, path := range o.Readable {
		faults = append(faults, allow(path, mayRunAll))
	}
	if len(o.Interpreter) > 0 {
		faults = append(faults, allow(o.Path, mayRead))
	}
	for _, path := range devices() {
		faults = append(faults, allow(path, mayRead|unix.LANDLOCK_ACCESS_FS_WRITE_FILE))
	}
	s.begin("apply the file rules")
	s.call(unix.SYS_LANDLOCK_RESTRICT_SELF, rulesetFile, 0)
	return errors.Join(faults...)
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
func (s *steps) allowPath(path string, rights uint64) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		rights &= ofFiles
	}
	s.rule(path, rights)
	return nil
}

// rule adds a rule for a path. The rights must fit what the path is.
func (s *steps) rule(path string, rights uint64) {
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: -1}
	address := s.data(rule)
	s.begin("set a file rule for " + path)
	// It may not be there in the new root: then nothing is allowed.
	open := s.open(path, unix.O_PATH)
	s.tolerate(unix.ENOENT)
	s.keep(open, address+uint64(unsafe.Offsetof(rule.Parent_fd)))
	s.call(unix.SYS_LANDLOCK_ADD_RULE, rulesetFile, unix.LANDLOCK_RULE_PATH_BENEATH, address, 0)
	s.tolerate(unix.EBADF)
}
