package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ends ends the processes: the first as a daemon does, the second by SIGTERM
// alone, which is what a supervisor or a person sends.
func (c *checker) ends(ctx context.Context) {
	defer func() {
		for _, s := range c.all {
			if s.process.Stop(ctx) == nil { // leftovers looks for what remains
				s.wait()
			}
		}
	}()
	c.check("", "stop", func(l *Check) {
		if s := c.first; !s.gone() {
			c.stop(ctx, l, s)
		} else {
			l.is(Skipped, "it had ended before", "")
		}
	})
	c.check("", "SIGTERM", func(l *Check) {
		s := c.second
		if s.gone() {
			l.is(Skipped, "it had ended before", "")
			return
		}
		begun := time.Now()
		if err := terminate(s.process.PID()); err != nil {
			if !errors.Is(err, errors.ErrUnsupported) {
				l.is(Failed, err.Error(), "")
				return
			}
			l.is(Skipped, "this system has no such signal", "")
			return
		}
		limit := time.NewTimer(c.config.Grace)
		defer limit.Stop()
		select {
		case <-s.process.Done():
			l.Seen = "ended in " + milliseconds(time.Since(begun))
		case <-limit.C:
			l.is(Warning, fmt.Sprintf("still there after %s", c.config.Grace), "end the process on SIGTERM")
		}
	})
}

func (c *checker) stop(ctx context.Context, l *Check, s *subject) {
	begun := time.Now()
	err := s.process.Stop(ctx)
	took := time.Since(begun)
	if err != nil {
		l.is(Failed, err.Error(), "")
		return
	}
	const do = "end when the gRPC controller's Shutdown is called or standard input ends"
	switch exit := s.process.Exit(); {
	case exit.Killed != "":
		l.is(Failed, fmt.Sprintf("it had to be killed %s after it was asked to end", milliseconds(took)), do)
	case strings.Contains(exit.Signal, "terminated") || took >= c.config.Grace:
		l.is(Warning, fmt.Sprintf("ended on SIGTERM only, after %s", milliseconds(took)), do)
	case exit.Signal != "" || exit.Code != 0:
		l.is(Warning, "ended, but "+exit.String(), "let main return when the plugin is told to end, so that the exit status is 0")
	default:
		l.Seen = "ended in " + milliseconds(took)
	}
}

func (s *subject) gone() bool {
	select {
	case <-s.process.Done():
		return true
	default:
		return false
	}
}
