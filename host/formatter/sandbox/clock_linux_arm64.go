package sandbox

import (
	"os"
	"syscall"
)

func (c *Clock) prepare(*syscall.SysProcAttr) (*os.File, error) { return nil, errNoClockHere() }

func (s *steps) handOverClock(int) error { return errNoClockHere() }
