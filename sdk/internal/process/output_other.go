//go:build !unix

package process

import (
	"errors"
	"os"
)

func moveStdout(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }
