package host

import (
	"net/netip"
	"sync"
	"time"
)

// attempts bounds how often something is tried, for each key: burst times at
// once, and then once in every. It keeps one time for each key (the generic cell
// rate algorithm) and forgets keys that have their whole burst again. It is safe
// for concurrent use.
type attempts struct {
	every time.Duration
	burst int

	mu sync.Mutex
	// full is when a key has its whole burst again.
	full map[string]time.Time
}

// maxAttemptKeys bounds what is remembered: about a megabyte.
const maxAttemptKeys = 10_000

func newAttempts(every time.Duration, burst int) *attempts {
	return &attempts{every: every, burst: burst, full: map[string]time.Time{}}
}

// take counts an attempt. It returns how long to wait if there may be none now,
// and then counts nothing.
func (a *attempts) take(key string, now time.Time) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, known := a.full[key]
	if at.Before(now) {
		at = now
	}
	at = at.Add(a.every)
	if wait := at.Sub(now) - time.Duration(a.burst)*a.every; wait > 0 {
		return wait
	}
	if !known && len(a.full) >= maxAttemptKeys {
		a.forget(now)
	}
	a.full[key] = at
	return 0
}

// forget makes room: it drops the keys that have their whole burst again, or if
// there is none, the one that is the nearest to it. a.mu is held.
func (a *attempts) forget(now time.Time) {
	nearest, least := "", time.Time{}
	for key, at := range a.full {
		if !at.After(now) {
			delete(a.full, key)
		} else if least.IsZero() || at.Before(least) {
			nearest, least = key, at
		}
	}
	if len(a.full) >= maxAttemptKeys {
		delete(a.full, nearest)
	}
}

// giveBack takes back one attempt that was counted.
func (a *attempts) giveBack(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, known := a.full[key]; known {
		a.full[key] = at.Add(-a.every)
	}
}

// clear forgets all attempts of a key.
func (a *attempts) clear(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.full, key)
}

// network returns the part of an address that one attacker hardly has many of:
// all of an IPv4 address, half of an IPv6 one. What is no address stays as it is.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		port, err := netip.ParseAddrPort(address)
		if err != nil {
			return address
		}
		ip = port.Addr()
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if half, err := ip.Prefix(64); err == nil {
			return half.String()
		}
	}
	return ip.String()
}
