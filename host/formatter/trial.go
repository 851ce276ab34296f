package formatter

import (
	"context"
	"fmt"
	"time"
)

// Budgets of a version on trial. A version before it could do better, which is
// known of no other.
const (
	trialCrashes  = 3
	trialFailures = 5
)

// trial watches a version that has taken over from another.
type trial struct {
	version  version
	until    time.Time
	crashes  int
	failures int
}

func newTrial(v version, length time.Duration) trial {
	return trial{version: v, until: time.Now().Add(length)}
}

func (t *trial) on(v version) bool { return t.version == v && time.Now().Before(t.until) }

// crash counts an end of the process and returns why the version is to be rolled
// back, or "".
func (t *trial) crash(v version) string {
	if !t.on(v) {
		return ""
	}
	if t.crashes++; t.crashes < trialCrashes {
		return ""
	}
	return fmt.Sprintf("it crashed %d times on trial", t.crashes)
}

// failure counts a call that failed and tells whether there were too many;
// Plugins.mu is held.
func (t *trial) failure(v version) bool {
	if !t.on(v) {
		return false
	}
	t.failures++
	return t.failures == trialFailures
}

// failing rolls a version back whose calls fail.
func (f *file) failing(ctx context.Context) {
	f.plugins.mu.RLock()
	why := fmt.Sprintf("%d of its calls failed on trial, the last one like this: %s", f.trial.failures, f.failure)
	on := f.active != nil && f.trial.on(f.active.version)
	f.plugins.mu.RUnlock()
	if !on {
		return
	}
	if err := f.rollBack(ctx, why); err != nil {
		f.plugins.log.Warn("plugin not rolled back", "file", f.name, "error", err)
	}
}
