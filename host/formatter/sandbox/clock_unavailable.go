//go:build !(linux && amd64)

package sandbox

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
)

func errNoClockHere() error {
	return fmt.Errorf("%w: there is no way to on %s/%s", ErrNoClock, runtime.GOOS, runtime.GOARCH)
}

// ProbeClock returns an error: a program's clock can't be moved on this system.
func ProbeClock(context.Context) error { return errNoClockHere() }

func (c *Clock) started(*exec.Cmd) error { return errNoClockHere() }
