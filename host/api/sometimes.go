package api

import (
	"sync"
	"time"
)

// quiet is how long a sometimes says no after it said yes.
const quiet = time.Second

// sometimes keeps a kind of log line that outsiders can cause at will to one a
// second. The zero value is ready; it is safe for concurrent use.
type sometimes struct {
	mu      sync.Mutex
	until   time.Time
	skipped int
}

// next reports whether to log now, and how many lines were left out since the
// one before.
func (s *sometimes) next() (skipped int, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := time.Now()
	if t.Before(s.until) {
		s.skipped++
		return 0, false
	}
	skipped, s.skipped, s.until = s.skipped, 0, t.Add(quiet)
	return skipped, true
}
