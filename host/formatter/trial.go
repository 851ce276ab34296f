package formatter

import (
	"context"
	"fmt"
	"time"

	"github.com/restante/restante/host"
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
	batch    host.Batch // of the last call that failed
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
func (t *trial) failure(v version, b host.Batch) bool {
	if !t.on(v) {
		return false
	}
	t.failures++
	t.batch = b
	return t.failures >= trialFailures
}

// couldBefore has the version before format a batch that this one fails over. If
// it can't either, going back would mend nothing.
func (f *file) couldBefore(ctx context.Context, b host.Batch) error {
	before := f.history.before(f.active.version.digest)
	if before == nil {
		return errNothingTo
	}
	v, err := f.plugins.copies.kept(before.Digest)
	if err != nil {
		return err
	}
	r, err := f.launch(ctx, v)
	if err != nil {
		return err
	}
	defer f.plugins.retire(ctx, f, r)
	_, _, err = r.process.WriteMessages(ctx, b)
	return err
}

// failing rolls a version back whose calls fail.
func (f *file) failing(ctx context.Context) {
	f.plugins.mu.RLock()
	why := fmt.Sprintf("%d of its calls failed on trial, the last one like this: %s", f.trial.failures, f.failure)
	on := f.active != nil && f.trial.on(f.active.version) && f.trial.failures >= trialFailures
	batch := f.trial.batch
	f.plugins.mu.RUnlock()
	if !on {
		return
	}
	if err := f.couldBefore(ctx, batch); err != nil {
		f.plugins.log.Warn("plugin not rolled back: the version before fails, too", "file", f.name, "error", err)
		f.plugins.mu.Lock()
		f.trial.failures = 0
		f.plugins.mu.Unlock()
		return
	}
	if err := f.rollBack(ctx, why); err != nil {
		f.plugins.log.Warn("plugin not rolled back", "file", f.name, "error", err)
	}
}
