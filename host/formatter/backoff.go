package formatter

import (
	"math/rand/v2"
	"time"
)

// backoff says how long to wait before a next attempt: a random time up to a
// bound that doubles ("full jitter"), so that plugins that fail together don't
// start together.
type backoff struct {
	least, most time.Duration
	failures    int
}

// next counts a failure and returns the time to wait.
func (b *backoff) next() time.Duration {
	bound := b.least
	for range b.failures {
		if bound *= 2; bound >= b.most {
			bound = b.most
			break
		}
	}
	b.failures++
	return rand.N(bound) + 1
}

func (b *backoff) reset() { b.failures = 0 }
