package check

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
	"github.com/restante/restante/host/formatter/purity"
	"github.com/restante/restante/host/formatter/sandbox"
)

// subject is one process of the plugin.
type subject struct {
	process *process.Process
	output  *output
	folder  string // the process's private folder, whose name nobody else has
	moved   bool   // it is in another time zone and, if there is one, has another clock
	clock   *sandbox.Clock
	took    time.Duration
}

// start starts a process of the plugin, in another world if it is moved. A failure
// is process's own diagnosis.
func (c *checker) start(ctx context.Context, moved bool) (*subject, error) {
	s := &subject{output: &output{}, moved: moved}
	var environment []string
	var started func(*exec.Cmd) error
	if moved {
		environment = append(environment, "TZ="+purity.OtherZone)
		if c.clock == nil {
			s.clock = sandbox.MovedClock(clockShift)
			started = s.clock.Started
		}
	}
	begun := time.Now()
	var err error
	s.process, err = process.Start(ctx, process.Config{
		Name: filepath.Base(c.config.Path),
		Path: c.copied,
		Command: func(folder string) (*exec.Cmd, error) {
			s.folder = folder
			return c.box.Command(sandbox.Program{Name: filepath.Base(c.config.Path), Path: c.copied, Digest: c.report.SHA256, Dir: folder, Clock: s.clock})
		},
		Started:      started,
		Environment:  environment,
		HostVersion:  c.config.HostVersion,
		Log:          s.output.logger(),
		StartTimeout: c.config.StartTimeout,
		CallTimeout:  c.config.CallTimeout,
		Grace:        c.config.Grace,
	})
	if s.folder != "" {
		c.folders = append(c.folders, s.folder)
	}
	if err != nil {
		s.wait()
		return nil, err
	}
	s.took = time.Since(begun)
	if c.settings != nil { // it stands in for one that has ended
		if err := c.configure(ctx, s); err != nil {
			return nil, errors.Join(err, s.process.Stop(ctx))
		}
	}
	s.output.started()
	c.all = append(c.all, s)
	return s, nil
}

// clockShift is how far ahead the clock of a moved process is.
const clockShift = 40 * 24 * time.Hour

// wait returns when nothing is left of the process's clock. It must have ended.
func (s *subject) wait() {
	if s.clock != nil {
		s.clock.Wait()
	}
}

// revive starts a process anew if it ended or hangs, so that one bad batch does
// not hide what becomes of the others.
func (c *checker) revive(ctx context.Context, s **subject, hangs bool) error {
	if hangs {
		(*s).process.Kill("it did not answer in time")
		<-(*s).process.Done()
	}
	select {
	case <-(*s).process.Done():
	default:
		return nil
	}
	fresh, err := c.start(ctx, (*s).moved)
	if err == nil {
		*s = fresh
	}
	return err
}

// write has a process format a batch.
func (s *subject) write(ctx context.Context, b host.Batch) purity.Answer {
	a := purity.Ask(ctx, s.process, b)
	if s.clock != nil {
		a.At = a.At.Add(clockShift)
	}
	return a
}

// maxRounds is how often a batch is tried again without the messages that were
// rejected: a formatter may reject one at a time.
const maxRounds = 10

// writeAccepted has a batch formatted without the messages that the plugin
// rejects, as the daemon does for a group that holds messages at fault. It
// returns what is left of the batch, which may be nothing. After maxRounds the
// answer still is a rejection.
func (s *subject) writeAccepted(ctx context.Context, b host.Batch) (o purity.Answer, accepted host.Batch, rejected []host.Rejection) {
	for round := 1; ; round++ {
		o = s.write(ctx, b)
		rejected = append(rejected, o.Rejections...)
		if o.Err != nil || len(o.Rejections) == 0 {
			return o, b, rejected
		}
		out := make(map[host.ID]bool)
		for _, r := range o.Rejections {
			out[r.ID] = true
		}
		b.Messages = slices.DeleteFunc(slices.Clone(b.Messages), func(m host.Message) bool { return out[m.ID] })
		if len(b.Messages) == 0 || round == maxRounds {
			return o, b, rejected
		}
	}
}

// advice says what to do about an error of a call.
func advice(err error) string {
	switch _, failed := errors.AsType[*process.FailedError](err); {
	case errors.Is(err, process.ErrTimeout):
		return "find what it waits for: a formatter may not read files, call other systems or wait; the daemon kills it"
	case errors.Is(err, process.ErrEnded):
		return "a formatter must not end its process: return an error, or reject the message at fault"
	case errors.Is(err, process.ErrBadReply):
		return "see the limits and rules in formatter.proto"
	case failed:
		return "an error fails the whole batch: if single messages are at fault, reject them by their ids"
	}
	return ""
}

// excerpt returns the first lines of a panic or of a plugin's long error.
func (s *subject) excerpt(err error) []string {
	var text string
	if e, ok := errors.AsType[*process.FailedError](err); ok && e.Cut() {
		text = e.Text
	} else if s.gone() {
		text = s.process.Exit().Panic
	}
	if text == "" {
		return nil
	}
	const most = 12
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = clip(strings.ReplaceAll(line, "\t", "    "), 120)
	}
	return lines[:min(len(lines), most)]
}
