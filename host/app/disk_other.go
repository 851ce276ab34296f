//go:build !linux && !darwin

package app

import "errors"

// freeBytes fails with errors.ErrUnsupported.
func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }
