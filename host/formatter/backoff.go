package formatter

import (
	"math/rand/v2"
	"time"
)

// backoff says how long to wait before a next attempt: a random time up to a
// bound that doubles ("full jitter"), so that plugins that fail together don't
// start together. When the budget of failures in a row is spent, attempts are
// rare: each lets one process in, and only one that holds out begins anew (a
// half-open circuit breaker).
type backoff struct {
	least, most time.Duration
	budget      int
	pause       time.Duration
	failures    int
}

// next counts a failure and returns the time to wait.
func (b *backoff) next() time.Duration {
	b.failures++
	if b.spent() {
		return b.pause/2 + rand.N(b.pause/2+1)
	}
	bound := b.least
	for range b.failures - 1 {
		if bound *= 2; bound >= b.most {
			bound = b.most
			break
		}
	}
	return rand.N(bound) + 1
}

// spent tells whether the budget is.
func (b *backoff) spent() bool { return b.failures >= b.budget }

func (b *backoff) reset() { b.failures = 0 }
