package formatter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// version is one content of a plugin file. What was hashed is what is run.
type version struct {
	digest string // SHA-256 in hex
	path   string // of the private copy
}

const (
	// maxPluginBytes is the largest plugin file: 1 GiB. The largest we know
	// has a twentieth of it; a disk image put there by mistake has more.
	maxPluginBytes = 1 << 30
	copyPrefix     = "copy-"
)

// Errors of taking a file over.
var (
	// errChanged: the file changed while it was copied. It will settle again.
	errChanged = errors.New("its file changed while it was copied")
	// errUnusable: the file can't be a plugin until it is changed.
	errUnusable = errors.New("its file can't be used")
)

// copies is the private folder that plugins are run from, each file named by
// its digest. The folder that the operator writes to is never run from: a
// program that runs can't be overwritten, and one that is being written can't
// be run. It is safe for concurrent use.
type copies struct {
	folder string
	mu     sync.Mutex
	used   map[string]bool // digests that were taken over since we started
}

func openCopies(folder string) (*copies, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for copies of plugins: %w", err)
	}
	// It may have been there with another mode.
	if err := os.Chmod(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for copies of plugins private: %w", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read the folder for copies of plugins: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), copyPrefix) {
			continue
		}
		if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil {
			return nil, fmt.Errorf("remove an unfinished copy of a plugin: %w", err)
		}
	}
	return &copies{folder: folder, used: map[string]bool{}}, nil
}

// adopt copies the file that was seen, and fails with errChanged if it is not
// that file any more, before or after.
func (c *copies) adopt(ctx context.Context, path string, seen os.FileInfo) (version, error) {
	if seen.Size() > maxPluginBytes {
		return version{}, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", errUnusable, seen.Size(), maxPluginBytes)
	}
	// Opening what has become a pipe meanwhile must not block.
	in, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return version{}, errChanged
	}
	if err != nil {
		return version{}, fmt.Errorf("copy the plugin: %w", err)
	}
	defer func() { _ = in.Close() }()
	if info, err := in.Stat(); err != nil || !sameFile(info, seen) {
		return version{}, errChanged
	}
	temporary, digest, err := c.copy(ctx, in, seen.Size())
	if err != nil {
		return version{}, fmt.Errorf("copy the plugin: %w", err)
	}
	if info, err := os.Stat(path); err != nil || !sameFile(info, seen) {
		_ = os.Remove(temporary)
		return version{}, errChanged
	}
	v := version{digest: digest, path: filepath.Join(c.folder, digest)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.Rename(temporary, v.path); err != nil {
		_ = os.Remove(temporary)
		return version{}, fmt.Errorf("copy the plugin: %w", err)
	}
	c.used[digest] = true
	return v, nil
}

// copy writes what in holds to a new file, closed and on disk, and returns its
// path.
func (c *copies) copy(ctx context.Context, in io.Reader, size int64) (path, digest string, err error) {
	out, err := os.CreateTemp(c.folder, copyPrefix)
	if err != nil {
		return "", "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, hash), io.LimitReader(reading(ctx, in), size+1))
	if err == nil && n != size {
		err = errChanged
	}
	if err == nil {
		err = out.Chmod(0o500)
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return "", "", err
	}
	// A child that was forked while the file was open has it open for writing
	// until its exec, and the file can't be run for so long. Forking holds this
	// lock up to the exec.
	syscall.ForkLock.Lock()
	//lint:ignore SA2001 to wait for it is all we want
	syscall.ForkLock.Unlock()
	return out.Name(), hex.EncodeToString(hash.Sum(nil)), nil
}

// has tells whether the copy of a version is there.
func (c *copies) has(v version) bool {
	_, err := os.Stat(v.path)
	return err == nil
}

// kept returns a version whose copy is still there, after making sure that it is
// what it was.
func (c *copies) kept(digest string) (version, error) {
	v := version{digest: digest, path: filepath.Join(c.folder, digest)}
	found, err := digestFile(v.path)
	if err != nil {
		return v, fmt.Errorf("read the copy of version %.12s: %w", digest, err)
	}
	if found != digest {
		return v, fmt.Errorf("the copy of version %.12s was changed", digest)
	}
	c.keep(digest)
	return v, nil
}

// digestFile returns the SHA-256 of a file in hex.
func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// keep exempts digests from the sweep.
func (c *copies) keep(digests ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, digest := range digests {
		c.used[digest] = true
	}
}

// remove removes a copy. A process that runs from it goes on.
func (c *copies) remove(digest string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.used, digest)
	if err := os.Remove(filepath.Join(c.folder, digest)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// sweep removes the copies that nobody has asked for since we started.
func (c *copies) sweep() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, err := os.ReadDir(c.folder)
	if err != nil {
		return fmt.Errorf("remove old copies of plugins: %w", err)
	}
	var faults []error
	for _, entry := range entries {
		name := entry.Name()
		if c.used[name] || len(name) != hex.EncodedLen(sha256.Size) || strings.Trim(name, "0123456789abcdef") != "" {
			continue
		}
		if err := os.Remove(filepath.Join(c.folder, name)); err != nil {
			faults = append(faults, fmt.Errorf("remove old copies of plugins: %w", err))
		}
	}
	return errors.Join(faults...)
}

// readerFunc is an io.Reader.
type readerFunc func(b []byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// reading reads until ctx is over: a file on a network may be slow.
func reading(ctx context.Context, in io.Reader) io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return in.Read(b)
	})
}
