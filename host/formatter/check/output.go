package check

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// maxRecords is how many log records of a process are kept.
const maxRecords = 10_000

// record is what process logs of one line that a plugin wrote.
type record struct {
	level    hclog.Level
	text     string
	bare     bool // it has nothing but the text
	printed  bool // it came on standard output
	starting bool // it came before the process was ready
}

// output takes what a process writes. It is an hclog.SinkAdapter.
type output struct {
	mu      sync.Mutex
	ready   bool
	records []record
	dropped bool // process saw too much in a second, or we did
}

func (o *output) logger() hclog.Logger {
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Debug, Output: io.Discard})
	log.RegisterSink(o)
	return log
}

// Accept takes one log record; what process says in its own words is known by
// the words.
func (o *output) Accept(_ string, level hclog.Level, message string, args ...any) {
	r := record{level: level, text: message, bare: len(args) == 0}
	if message == "plugin printed" && len(args) == 2 && args[0] == "text" {
		r.text, r.printed = args[1].(string)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.HasPrefix(message, "plugin logs too much") || len(o.records) == maxRecords {
		o.dropped = true
		return
	}
	r.starting = !o.ready
	if strings.TrimSpace(r.text) != "" {
		o.records = append(o.records, r)
	}
}

func (o *output) started() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ready = true
}

// facts returns what was written, and whether more of it was dropped.
func (o *output) facts() ([]record, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.records), o.dropped
}

// noise judges what the processes wrote, when they have ended. In the log,
// plain text on standard error looks like a structured line without values, so
// the last lines themselves tell which it was.
func (c *checker) noise() {
	var before, after, plain, faults []string
	dropped := false
	for _, s := range c.all {
		records, more := s.output.facts()
		dropped = dropped || more
		raw := s.plainLines()
		for _, r := range records {
			switch {
			case r.printed && r.starting:
				before = append(before, r.text)
			case r.printed:
				after = append(after, r.text)
			case r.bare && raw[strings.Join(strings.Fields(r.text), " ")]:
				plain = append(plain, r.text)
			case r.level >= hclog.Warn:
				faults = append(faults, r.level.String()+": "+r.text)
			}
		}
	}
	c.check("", "standard output", func(l *Check) {
		l.Seen = "nothing printed"
		if n := len(before) + len(after); n > 0 {
			l.is(Warning, count(len(before), "line")+" printed before the handshake, "+count(len(after), "line")+" after it",
				"print nothing to standard output: it belongs to the handshake; log to standard error")
			l.Details = quoted(append(before, after...))
		}
	})
	c.check("", "standard error", func(l *Check) {
		l.Seen = "nothing but log lines"
		if len(plain)+len(faults) == 0 {
			l.Seen = "no plain text, no warnings"
		}
		if len(plain) > 0 {
			l.is(Warning, count(len(plain), "line")+" of plain text", "log with sdk.Logger or log/slog, or write hclog's JSON lines, so that the daemon's log knows the level")
		}
		if dropped {
			l.warn("it writes so much that the daemon drops lines", "log less: nothing for a message that is in order")
		}
		l.Details = append(quoted(plain), quoted(faults)...)
	})
}

// plainLines returns the last lines of standard error that are no log lines.
func (s *subject) plainLines() map[string]bool {
	lines := make(map[string]bool)
	for _, line := range s.process.Exit().Stderr {
		var fields struct {
			Message *string `json:"@message"`
		}
		if json.Unmarshal([]byte(line), &fields) == nil && fields.Message != nil {
			continue
		}
		text := strings.Join(strings.Fields(line), " ")
		for _, mark := range []string{"[TRACE]", "[DEBUG]", "[INFO]", "[WARN]", "[ERROR]"} {
			text = strings.TrimSpace(strings.TrimPrefix(text, mark))
		}
		lines[text] = true
	}
	return lines
}

// maxDetails is how many lines of one kind a report shows.
const maxDetails = 5

// quoted returns the first of the lines, each shortened, without repetitions.
func quoted(lines []string) []string {
	var out []string
	for _, line := range lines {
		line = clip(line, 120)
		if slices.Contains(out, line) {
			continue
		}
		if len(out) == maxDetails {
			return append(out, "…")
		}
		out = append(out, line)
	}
	return out
}

// clip cuts text to about limit bytes, never inside a character.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
