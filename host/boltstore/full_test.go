package boltstore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

// TestIsFull: only a write that found no space is harmless. A sync that reports
// the same may have lost pages.
func TestIsFull(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&os.PathError{Op: "write", Err: syscall.ENOSPC}, true},
		{&os.PathError{Op: "write", Err: syscall.EDQUOT}, true},
		{fmt.Errorf("resize: %w", &os.PathError{Op: "truncate", Err: syscall.ENOSPC}), true},
		{&os.PathError{Op: "sync", Err: syscall.ENOSPC}, false},
		{syscall.ENOSPC, false},
		{&os.PathError{Op: "write", Err: syscall.EIO}, false},
		{errors.New("no space left on device"), false},
		{nil, false},
	} {
		if got := isFull(c.err); got != c.want {
			t.Errorf("isFull(%v) = %v", c.err, got)
		}
	}
}
