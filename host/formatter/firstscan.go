package formatter

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// firstScan puts the claims of the files that were there at the start in order,
// so that it does not matter which of them starts faster.
type firstScan struct {
	mu      sync.Mutex
	missing int // files that did not arrive yet
	waiting []arrival
	working int // files that are not active, rejected, backing off or gone yet
}

// arrival is a file of the first scan that was discovered.
type arrival struct {
	file    *file
	running *running
	claimed chan error
}

// expect says how many files there are, before any of them can arrive, and
// tells whether that is all.
func (s *firstScan) expect(files int) (done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing, s.working = files, files
	return files == 0
}

// worked takes note of a file that is worked off, and tells whether it was the
// last.
func (s *firstScan) worked() (done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working--
	return s.working == 0
}

// arrive is called once for each file of the first scan, with nil if it failed.
// The result of the claim comes on the channel that it returns: at once if the
// plugin owns all that it declares already, and else when all files have
// arrived: then those go first that are remembered as owners, and the others in
// the order of their names.
func (p *Plugins) arrive(ctx context.Context, f *file, r *running) <-chan error {
	// The claims of others must not fail because this file has changed.
	ctx = context.WithoutCancel(ctx)
	s := &p.scan
	s.mu.Lock()
	defer s.mu.Unlock()
	a := arrival{file: f, running: r, claimed: make(chan error, 1)}
	switch {
	case r == nil:
	case p.remembered(f, r, true):
		a.claimed <- p.claim(ctx, f, r)
	default:
		s.waiting = append(s.waiting, a)
	}
	if s.missing--; s.missing > 0 {
		return a.claimed
	}
	rank := func(a arrival) int {
		if p.remembered(a.file, a.running, false) {
			return 0
		}
		return 1
	}
	slices.SortFunc(s.waiting, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.file.name, b.file.name))
	})
	for _, a := range s.waiting {
		a.claimed <- p.claim(ctx, a.file, a.running)
	}
	s.waiting = nil
	return a.claimed
}
