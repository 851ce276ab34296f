//go:build linux || darwin

package app

import "golang.org/x/sys/unix"

// freeBytes returns how much the disk of a folder still takes of its owner.
func freeBytes(folder string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}
