//go:build !unix

package check

import "errors"

func terminate(int) error { return errors.ErrUnsupported }
