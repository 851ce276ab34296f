package formatter

import "time"

// settling finds out which files hold still: a file that is being written, or
// whose mode is yet to be set, is not to be touched.
type settling struct {
	still time.Duration
	begun time.Time // of the first look
	past  bool      // the first scan was announced
	files map[string]*watched
}

type watched struct {
	sight sight
	since time.Time // it has been like this
	told  bool
}

func newSettling(still time.Duration) *settling {
	return &settling{still: still, files: map[string]*watched{}}
}

// look takes in what the folder holds now, and returns which files are new and
// which are gone.
func (s *settling) look(seen map[string]sight, now time.Time) (appeared, gone []string) {
	if s.begun.IsZero() {
		s.begun = now
	}
	for name, what := range seen {
		known := s.files[name]
		if known == nil {
			appeared = append(appeared, name)
		}
		if known == nil || !known.sight.same(what) {
			s.files[name] = &watched{sight: what, since: now}
		}
	}
	for name := range s.files {
		if _, ok := seen[name]; !ok {
			gone = append(gone, name)
			delete(s.files, name)
		}
	}
	return appeared, gone
}

// settled returns the files that have held still for long enough and were not
// returned like this before, and after which time the next one may, or 0.
func (s *settling) settled(now time.Time) (files map[string]sight, wait time.Duration) {
	files = map[string]sight{}
	for name, w := range s.files {
		left := s.still - now.Sub(w.since)
		switch {
		case w.told:
		case left <= 0:
			w.told = true
			files[name] = w.sight
		case wait == 0 || left < wait:
			wait = left
		}
	}
	return files, wait
}

// first tells, once, that the files that were there at the start and held still
// have settled. There may be none of them.
func (s *settling) first(now time.Time) bool {
	if s.past || len(s.files) > 0 && now.Sub(s.begun) < s.still {
		return false
	}
	s.past = true
	return true
}
