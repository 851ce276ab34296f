//go:build unix

package boltstore

import (
	"os"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// releaseMap tells the kernel that the mapped file is not needed just now.
// Looking for the free pages after a crash touches every page, and all of them
// would count as this process's memory until something else wanted the space.
func releaseMap(db *bolt.DB) {
	file, err := os.Stat(db.Path())
	if err != nil {
		return
	}
	page := int64(os.Getpagesize())
	size := uintptr(file.Size() / page * page)
	if size > 0 {
		// The map is shared and read-only: a dropped page is read again.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, db.Info().Data, size, unix.MADV_DONTNEED)
	}
}
