package check

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// privateCopy copies the file to a folder that only this user can enter, and
// fills in what the report says of it. The folder is to be removed in the end.
func (c *checker) privateCopy() (folder string, err error) {
	path := c.config.Path
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("check plugin: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("check plugin: %s is not a file", path)
	}
	in, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("check plugin: %w", err)
	}
	defer func() { _ = in.Close() }()
	if folder, err = os.MkdirTemp("", "restante-check-"); err != nil {
		return "", fmt.Errorf("check plugin: %w", err)
	}
	c.copied = filepath.Join(folder, filepath.Base(path))
	if err := c.fill(in); err != nil {
		_ = os.RemoveAll(folder)
		return "", fmt.Errorf("copy plugin %s: %w", path, err)
	}
	c.check("", "file", func(l *Check) {
		l.Seen = size(c.report.Bytes) + ", SHA-256 " + c.report.SHA256[:12] + "…"
		if runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
			l.Status = Failed
			l.Seen += "; it is not executable, so the daemon passes it over"
			l.Do = "make it executable: chmod +x " + path
		}
	})
	return folder, nil
}

func (c *checker) fill(in io.Reader) (err error) {
	out, err := os.OpenFile(c.copied, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	hash := sha256.New()
	c.report.Bytes, err = io.Copy(io.MultiWriter(out, hash), in)
	c.report.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return errors.Join(err, out.Close())
}
