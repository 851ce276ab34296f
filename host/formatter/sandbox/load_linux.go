//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// program is a program's file, read once.
type program struct {
	script []byte   // the text of a script, or nil
	sealed *os.File // a copy of an executable that nobody can change, or nil
}

// load reads the program and checks that it is the right one. What was hashed
// is what is run: an executable from a sealed copy in memory; a script from a
// copy in its own root, and only without namespaces from its file.
func (s *Sandbox) load(p Program, script bool) (program, error) {
	if !script {
		sealed, err := s.config.Images.open(p)
		return program{sealed: sealed}, err
	}
	text, err := os.ReadFile(p.Path)
	if err == nil {
		content := sha256.New()
		content.Write(text)
		err = check(p, content)
	}
	if err == nil && !bytes.HasPrefix(text, []byte("#!")) {
		err = fmt.Errorf("%s has changed: it is no script any more", p.Path)
	}
	return program{script: text}, err
}

func check(p Program, content hash.Hash) error {
	if found := hex.EncodeToString(content.Sum(nil)); p.Digest != "" && found != p.Digest {
		return fmt.Errorf("%s has changed: its SHA-256 is %s and should be %s", p.Path, found, p.Digest)
	}
	return nil
}

// seal returns a copy of an executable in memory that nobody can change any
// more, if it is the right one.
func seal(p Program) (sealed *os.File, err error) {
	file, err := os.Open(p.Path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if sealed, err = memory(p.Name); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = sealed.Close()
		}
	}()
	for {
		n, err := unix.Sendfile(int(sealed.Fd()), int(file.Fd()), nil, 1<<30)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("copy %s into memory: %w", p.Path, err)
		}
		if n == 0 && err == nil {
			break
		}
	}
	if err := closeForGood(sealed); err != nil {
		return nil, fmt.Errorf("seal the copy of %s: %w", p.Path, err)
	}
	if p.Digest == "" {
		return sealed, nil
	}
	info, err := sealed.Stat()
	if err != nil {
		return nil, err
	}
	// In pieces that fit a processor's cache: mapped, it takes half as long again.
	content := sha256.New()
	if _, err := io.CopyBuffer(content, io.NewSectionReader(sealed, 0, info.Size()), make([]byte, 128<<10)); err != nil {
		return nil, fmt.Errorf("read the copy of %s: %w", p.Path, err)
	}
	return sealed, check(p, content)
}

// closeForGood forbids all changes of a file in memory. The kernel refuses to
// while it is busy with one of its pages, such as to move it.
func closeForGood(file *os.File) error {
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	const tries = 20 // each takes the kernel a tenth of a second or more
	for try := 1; ; try++ {
		_, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals)
		if !errors.Is(err, unix.EBUSY) || try == tries {
			return err
		}
	}
}
