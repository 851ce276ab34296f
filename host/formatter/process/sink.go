package process

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// What a plugin may write to the log in one second.
const (
	linesPerSecond = 100
	bytesPerSecond = 256 << 10
)

// sink passes what a plugin writes to the log, and drops what is too much. It
// is safe for concurrent use.
type sink struct {
	log hclog.Logger

	mu           sync.Mutex
	second       time.Time // when the current second began
	lines, bytes int
	dropped      int
}

// write logs one line, unless there were too many in this second.
func (s *sink) write(level hclog.Level, message string, args ...any) {
	if level < s.log.GetLevel() {
		return
	}
	length := len(message)
	for _, arg := range args {
		if text, ok := arg.(string); ok {
			length += len(text)
		}
	}
	if s.admit(time.Now(), length) {
		s.log.Log(level, message, args...)
	}
}

// admit tells whether a line of this length may be written now.
func (s *sink) admit(now time.Time, length int) bool {
	s.mu.Lock()
	if now.Sub(s.second) >= time.Second {
		s.second, s.lines, s.bytes = now, 0, 0
	}
	s.lines++
	s.bytes += length
	if s.lines > linesPerSecond || s.bytes > bytesPerSecond {
		s.dropped++
		s.mu.Unlock()
		return false
	}
	dropped := s.dropped
	s.dropped = 0
	s.mu.Unlock()
	if dropped > 0 {
		s.report(dropped)
	}
	return true
}

// flush tells of lines that were dropped last.
func (s *sink) flush() {
	s.mu.Lock()
	dropped := s.dropped
	s.dropped = 0
	s.mu.Unlock()
	if dropped > 0 {
		s.report(dropped)
	}
}

func (s *sink) report(dropped int) {
	s.log.Warn("plugin logs too much, lines dropped", "count", dropped, "lines_per_second", linesPerSecond)
}
