package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
	"github.com/restante/restante/host/formatter/purity"
	"github.com/restante/restante/host/formatter/sandbox"
)

// checker is one run of all checks.
type checker struct {
	config  Config
	report  Report
	copied  string // what is run
	folders []string
	all     []*subject // every process that came up

	first, second *subject
	description   process.Description
	settings      []byte // nil until they are known
	box           *sandbox.Sandbox
	shut          bool  // the box keeps a process from starting others
	clock         error // why no process can have another clock, nil if one can
}

// Run checks a plugin. What is wrong with the plugin is in the report; the error
// is about what kept Run from looking at it: a file that can't be read, or the
// end of ctx. When Run returns, nothing of the plugin is left running.
func Run(ctx context.Context, config Config) (Report, error) {
	config, err := config.withDefaults()
	if err != nil {
		return Report{}, err
	}
	c := &checker{config: config, report: Report{File: config.Path, Groups: []host.GroupName{}}}
	folder, err := c.privateCopy()
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if c.shutsIn(ctx) && c.starts(ctx) {
		if c.discovers(ctx) && c.takesSettings(ctx) {
			for _, g := range c.description.Groups {
				if ctx.Err() == nil {
					c.group(ctx, g)
				}
			}
			c.strangers()
		}
		c.ends(ctx)
		c.noise()
	}
	c.leftovers()
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("check plugin: %w", err)
	}
	return c.report, nil
}

var errNoSandbox = errors.New("there is no sandbox, which it needs")

// shutsIn finds out which sandbox the plugin can have here.
func (c *checker) shutsIn(ctx context.Context) bool {
	if c.config.Sandbox == sandbox.Off {
		var err error
		c.box, err = sandbox.New(sandbox.Config{Mode: sandbox.Off})
		return err == nil
	}
	c.check("", "sandbox", func(l *Check) {
		support, err := sandbox.Probe(ctx)
		if err != nil {
			l.is(Failed, "it is not known what there is: "+err.Error(), "")
			return
		}
		box, err := sandbox.New(sandbox.Config{Mode: c.config.Sandbox, Support: support})
		if err != nil {
			l.is(Failed, err.Error(), "")
			return
		}
		c.shut = support.Has(sandbox.CallFilter)
		missing := support.Missing()
		switch l.Seen = support.String(); {
		case missing == nil:
			c.box = box
		case c.config.Sandbox == sandbox.Enforce:
			l.is(Failed, missing.Error(), "")
		default:
			c.box = box
			l.warn(missing.Error(), "a plugin that tries what the sandbox forbids is not found out here")
		}
	})
	return c.box != nil
}

// starts starts two processes.
func (c *checker) starts(ctx context.Context) bool {
	fault := func(l *Check, err error) {
		l.is(Failed, err.Error(), "")
		if e, ok := errors.AsType[*process.StartError](err); ok {
			if len(e.Output) > 3 { // else the reason has them all
				l.Details = quoted(e.Output)
			}
			if !e.Permanent { // else the reason says what to do
				l.Do = "a plugin prints its handshake line first: build it with the SDK, or see docs/plugin-protocol.md"
			}
		}
	}
	c.check("", "start", func(l *Check) {
		var err error
		if c.first, err = c.start(ctx, false); err != nil {
			fault(l, err)
			return
		}
		l.Seen = "ready in " + milliseconds(c.first.took)
		if c.first.took > 2*time.Second {
			l.warn("that is slow", "load less before sdk.Serve: a daemon gives it 10 s, also on a busy computer")
		}
	})
	if c.first == nil {
		return false
	}
	c.check("", "another clock", func(l *Check) {
		// Outside the sandbox what the plugin leaves behind would keep the clock.
		if c.clock = errNoSandbox; c.shut {
			c.clock = sandbox.ProbeClock(ctx)
		}
		if c.clock != nil {
			l.is(Skipped, c.clock.Error()+"; the second process is in another time zone alone", "")
			return
		}
		l.Seen = "the second process is 40 days ahead, and in the time zone " + purity.OtherZone
	})
	c.check("", "start again", func(l *Check) {
		var err error
		if c.second, err = c.start(ctx, true); err != nil {
			fault(l, fmt.Errorf("beside the first process: %w", err))
			return
		}
		l.Seen = "ready in " + milliseconds(c.second.took) + " beside the first process"
	})
	if c.second == nil {
		c.second = c.first
	}
	return true
}

// discovers asks what the plugin is, twice in the first process and once in the
// second.
func (c *checker) discovers(ctx context.Context) bool {
	good := false
	c.check("", "discover", func(l *Check) {
		var err error
		c.description, err = c.first.process.Discover(ctx)
		if err != nil {
			if errors.Is(err, process.ErrEnded) {
				err = fmt.Errorf("%w: %s", err, c.first.process.Exit())
			}
			l.is(Failed, err.Error(), "mend what Discover answers: a name, a version, and at least one group with a method")
			l.Details = c.first.excerpt(err)
			return
		}
		good = true
		d := c.description
		c.report.Plugin, c.report.Version = d.Name, d.Version
		for _, g := range d.Groups {
			c.report.Groups = append(c.report.Groups, g.Name)
		}
		l.Seen = strings.TrimSpace(d.Name+" "+d.Version) + ", " + count(len(d.Groups), "group")
		for _, g := range d.Groups {
			l.Details = append(l.Details, strings.TrimRight(fmt.Sprintf("%s (%s)  %s", g.Name, g.Method, g.Title), " "))
			if g.Title == "" {
				l.warn(fmt.Sprintf("group %s has no title", g.Name), "give each group a title: operators see it")
			}
		}
		l.Details = quoted(l.Details)
		if d.Version == "" {
			l.warn("it has no version", "give it a version: it is kept with each document")
		}
	})
	if !good {
		return false
	}
	c.check("", "discover again", func(l *Check) {
		l.Seen = "the same answer in the same process and in another"
		for _, s := range []*subject{c.first, c.second} {
			again, err := s.process.Discover(ctx)
			if err != nil {
				l.is(Failed, err.Error(), "Discover must always answer")
				return
			}
			if !reflect.DeepEqual(again, c.description) {
				l.is(Failed, "another answer "+s.where(c), "Discover must always give the same answer")
				l.Details = []string{clip(fmt.Sprintf("%+v", c.description), 300), clip(fmt.Sprintf("%+v", again), 300)}
				return
			}
		}
	})
	return true
}

// takesSettings gives both processes the settings, if the plugin has any.
func (c *checker) takesSettings(ctx context.Context) bool {
	if len(c.description.Settings) == 0 && len(c.config.Settings) == 0 {
		return true
	}
	good := false
	c.check("", "settings", func(l *Check) {
		text, err := c.description.Resolve(c.config.Settings, false)
		if err != nil {
			l.is(Failed, err.Error(), "give the plugin its settings with --set NAME=VALUE")
			return
		}
		c.settings = []byte(text)
		for _, s := range slices.Compact([]*subject{c.first, c.second}) {
			if err := c.configure(ctx, s); err != nil {
				l.is(Failed, err.Error(), "give the plugin other settings with --set NAME=VALUE, or mend how it takes them")
				l.Details = s.excerpt(err)
				return
			}
		}
		l.Seen, good = "taken: "+count(len(c.description.Settings), "setting"), true
	})
	return good
}

func (c *checker) configure(ctx context.Context, s *subject) error {
	if len(c.description.Settings) == 0 {
		return nil
	}
	err := s.process.Configure(ctx, c.settings)
	if errors.Is(err, process.ErrEnded) {
		return fmt.Errorf("%w: %s", err, s.process.Exit())
	}
	return err
}

func (s *subject) where(c *checker) string {
	if s == c.first {
		return "when asked twice"
	}
	return "in another process"
}

// strangers tells of samples for groups that the plugin does not have.
func (c *checker) strangers() {
	for _, g := range slices.Sorted(maps.Keys(c.config.Samples)) {
		if !slices.Contains(c.report.Groups, g) {
			c.check(g, "samples", func(l *Check) {
				l.is(Failed, "there are samples for this group, which the plugin does not declare", "name one of its groups with --samples GROUP=FILE")
			})
		}
	}
}

func milliseconds(d time.Duration) string {
	if d < time.Millisecond {
		return "less than 1 ms"
	}
	if d < 10*time.Second {
		return thousands(int(d.Milliseconds())) + " ms"
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
