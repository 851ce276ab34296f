//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// program is a program's file, read once.
type program struct {
	script []byte   // the text of a script, or nil
	sealed *os.File // a copy of an executable that nobody can change, or nil
}

// load reads the program and checks that it is the right one. What was hashed
// is what is run: an executable from a sealed copy in memory; a script from a
// copy in our own root, and only without namespaces from its file.
func load(o orders) (program, error) {
	switch {
	case o.Trial:
		sealed, err := seal(o.Name, nil)
		return program{sealed: sealed}, err
	case len(o.Interpreter) > 0:
		script, err := os.ReadFile(o.Path)
		if err == nil {
			err = check(o, script)
		}
		if err == nil && !bytes.HasPrefix(script, []byte("#!")) {
			err = fmt.Errorf("%s has changed: it is no script any more", o.Path)
		}
		return program{script: script}, err
	}
	file, err := os.Open(o.Path)
	if err != nil {
		return program{}, err
	}
	defer func() { _ = file.Close() }()
	sealed, err := seal(o.Name, file)
	if err != nil || o.Digest == "" {
		return program{sealed: sealed}, err
	}
	info, err := sealed.Stat()
	if err != nil || info.Size() == 0 {
		return program{}, errors.Join(err, check(o, nil))
	}
	content, err := unix.Mmap(int(sealed.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return program{}, fmt.Errorf("read the copy: %w", err)
	}
	return program{sealed: sealed}, check(o, content)
}

func check(o orders, content []byte) error {
	if o.Digest == "" {
		return nil
	}
	sum := sha256.Sum256(content)
	if found := hex.EncodeToString(sum[:]); found != o.Digest {
		return fmt.Errorf("%s has changed: its SHA-256 is %s and should be %s", o.Path, found, o.Digest)
	}
	return nil
}

// seal returns a copy in memory that can be run and that nobody can change any
// more. Without a file it is empty.
func seal(name string, file *os.File) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	if len(name) > 200 {
		name = name[:200]
	}
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("make a file in memory: %w: the system forbids to run it: set sysctl vm.memfd_noexec=1", err)
	}
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	for file != nil {
		n, err := unix.Sendfile(fd, int(file.Fd()), nil, 1<<30)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("copy into memory: %w", err)
		}
		if n == 0 && err == nil {
			break
		}
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return nil, fmt.Errorf("seal the copy: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// lastExec holds the arguments of the exec by which we become the program.
type lastExec struct {
	folder    int
	path      *byte
	argv, env []*byte
	flags     int
	nonce     uint64
}

func (p program) exec(o orders, nonce uint64) (lastExec, error) {
	e := lastExec{folder: unix.AT_FDCWD, nonce: nonce}
	argv, path := []string{o.Name}, ""
	if p.sealed != nil {
		e.folder, e.flags = int(p.sealed.Fd()), unix.AT_EMPTY_PATH
	} else {
		argv, path = append(o.Interpreter, o.Path), o.Interpreter[0]
	}
	var err error
	if e.path, err = unix.BytePtrFromString(path); err != nil {
		return e, err
	}
	if e.argv, err = pointers(argv); err != nil {
		return e, err
	}
	e.env, err = pointers(os.Environ())
	return e, err
}

// run does not return unless it fails.
func (e lastExec) run() error {
	_, _, number := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(e.folder), uintptr(unsafe.Pointer(e.path)),
		uintptr(unsafe.Pointer(&e.argv[0])), uintptr(unsafe.Pointer(&e.env[0])), uintptr(e.flags), uintptr(e.nonce))
	return number
}

// pointers lays texts out as the kernel expects them, with a nil at the end.
func pointers(texts []string) ([]*byte, error) {
	list := make([]*byte, 0, len(texts)+1)
	for _, text := range texts {
		p, err := unix.BytePtrFromString(text)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return append(list, nil), nil
}
