package check

import (
	"time"

	"github.com/restante/restante/host"
)

// Status is how a check went.
type Status string

// The values of Status. Only Failed means that the plugin should not be used.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Check is one line of a report.
type Check struct {
	// Group is the group that was checked, or empty if the check is of the
	// plugin as a whole.
	Group host.GroupName `json:"group,omitempty"`
	// Name names the check in one or two words.
	Name   string `json:"check"`
	Status Status `json:"status"`
	// Seen is one line that says what was seen.
	Seen string `json:"seen"`
	// Do is one line that says what to do about it, or empty.
	Do string `json:"do,omitempty"`
	// Details are more lines about what was seen.
	Details []string `json:"details,omitempty"`
	// Milliseconds is how long the check took.
	Milliseconds int64 `json:"milliseconds"`
}

// Report is what was seen of a plugin. It can be written as JSON.
type Report struct {
	// File is the path that was checked, Bytes its size and SHA256 its digest
	// in hexadecimal.
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Plugin and Version are what the plugin calls itself, if it could be asked.
	Plugin  string `json:"plugin,omitempty"`
	Version string `json:"version,omitempty"`
	// Groups are the groups that it declares.
	Groups []host.GroupName `json:"groups"`
	Checks []Check          `json:"checks"`
}

// Count returns how many checks have a status.
func (r Report) Count(s Status) int {
	n := 0
	for _, c := range r.Checks {
		if c.Status == s {
			n++
		}
	}
	return n
}

// Failed tells whether the plugin should not be used.
func (r Report) Failed() bool { return r.Count(Failed) > 0 }

// check runs one check, which fills in a line of the report.
func (c *checker) check(group host.GroupName, name string, do func(line *Check)) *Check {
	step := name
	if group != "" {
		step = string(group) + ": " + name
	}
	c.config.Progress(step)
	line := Check{Group: group, Name: name, Status: OK}
	begun := time.Now()
	do(&line)
	line.Milliseconds = time.Since(begun).Milliseconds()
	c.report.Checks = append(c.report.Checks, line)
	return &c.report.Checks[len(c.report.Checks)-1]
}

// is sets how a check went, what was seen and what to do.
func (l *Check) is(s Status, seen, do string) { l.Status, l.Seen, l.Do = s, seen, do }

// warn makes the check a warning at least, and adds what was seen.
func (l *Check) warn(seen, do string) {
	if l.Status == OK {
		l.Status = Warning
	}
	if l.Seen != "" {
		l.Seen += "; "
	}
	l.Seen += seen
	if l.Do == "" {
		l.Do = do
	}
}
