//go:build !linux && !darwin

package app

import (
	"fmt"
	"os"
)

// lock makes the file and does not lock it.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	return f.Close, nil
}
