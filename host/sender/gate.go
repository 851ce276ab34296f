package sender

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// breakAfter is after how many failures in a row a URL is left alone.
	breakAfter = 5
	// breakFor is for how long at first; it doubles up to longestBreak.
	breakFor     = 30 * time.Second
	longestBreak = 15 * time.Minute
)

// gate stands before one URL: a circuit breaker, a rate, and a number of requests at
// the same time. All groups that send to the URL share it.
type gate struct {
	now func() time.Time

	mu      sync.Mutex
	limiter *rate.Limiter
	most    int           // requests at the same time; 0 is any number
	inside  int           // requests now
	left    chan struct{} // closed when one ends
	failed  int           // in a row
	breaks  int           // in a row
	until   time.Time     // the breaker is open
	probing bool          // one is finding out whether it may close
}

func newGate(now func() time.Time) *gate {
	return &gate{now: now, limiter: rate.NewLimiter(rate.Inf, 1), left: make(chan struct{})}
}

// limit sets the number of requests a minute, and at the same time; 0 is any number.
func (g *gate) limit(perMinute float64, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	every := rate.Inf
	if perMinute > 0 {
		every = rate.Limit(perMinute / 60)
	}
	if g.limiter.Limit() != every {
		g.limiter.SetLimit(every)
	}
	if g.most != most {
		g.most = most
		g.wake()
	}
}

// wake has all who wait look again; g.mu is held.
func (g *gate) wake() {
	close(g.left)
	g.left = make(chan struct{})
}

// passage is what has become of a request.
type passage int

const (
	unknown passage = iota
	answered
	unanswered
)

// enter waits until a request may be made. Leave must be called after it. While the
// breaker is open, or another request finds out whether it may close, it returns when
// to come again instead, unless the request is forced.
func (g *gate) enter(ctx context.Context, forced bool) (leave func(passage), again time.Time, err error) {
	var probe bool
	g.mu.Lock()
	for {
		now := g.now()
		probe = g.failed >= breakAfter
		if probe && !forced {
			if again = g.until; now.Before(again) {
				g.mu.Unlock()
				return nil, again, nil
			}
			if g.probing {
				g.mu.Unlock()
				return nil, now.Add(time.Second), nil
			}
		}
		if g.most == 0 || g.inside < g.most {
			g.inside++
			g.probing = g.probing || probe
			break
		}
		left := g.left
		g.mu.Unlock()
		select {
		case <-left:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		}
		g.mu.Lock()
	}
	g.mu.Unlock()
	if err := g.limiter.Wait(ctx); err != nil {
		g.leave(unknown, probe)
		return nil, time.Time{}, err
	}
	return func(p passage) { g.leave(p, probe) }, time.Time{}, nil
}

func (g *gate) leave(p passage, probe bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if probe {
		g.probing = false
	}
	switch p {
	case answered:
		g.failed, g.breaks, g.until = 0, 0, time.Time{}
	case unanswered:
		if g.failed++; g.failed >= breakAfter {
			pause := min(breakFor<<min(g.breaks, 10), longestBreak)
			g.breaks++
			g.until = g.now().Add(pause)
		}
	}
	g.wake()
}

// breaker says how the circuit breaker is, and until when it is open.
func (g *gate) breaker() (state string, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.failed < breakAfter:
		return "closed", time.Time{}
	case g.now().Before(g.until):
		return "open", g.until
	}
	return "half-open", g.until
}
