package sandbox

import (
	"errors"
	"os"
	"sync"
)

// Images keeps copies of executables in memory, so that a program that is
// started again need not be read and hashed again, which takes longer than the
// rest of the sandbox. While the program runs the copy costs nothing more: it is
// what runs. The zero Images is ready, and safe for concurrent use.
type Images struct {
	mu   sync.Mutex
	kept map[string]*os.File // by digest
}

// Forget lets go of the copy of a program, if there is one. What runs goes on.
func (i *Images) Forget(digest string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	kept := i.kept[digest]
	delete(i.kept, digest)
	if kept == nil {
		return nil
	}
	return kept.Close()
}

// Close lets go of all copies. It may be used again after that.
func (i *Images) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var faults []error
	for _, kept := range i.kept {
		faults = append(faults, kept.Close())
	}
	i.kept = nil
	return errors.Join(faults...)
}
