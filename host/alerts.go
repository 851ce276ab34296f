package host

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// AlertLimits are beyond what something is wrong. Zero means the default, and a
// negative value that nobody wants to know.
type AlertLimits struct {
	// Waiting is how old the oldest unread message of a queue may be: a day if 0.
	Waiting time.Duration
	// Silence is how many times as long as the longest of its usual pauses a
	// poller may stay away: 2 if 0.
	Silence float64
	// Unmarked is how often messages may be fetched without a mark: 10 if 0. It
	// takes a quarter of an hour, too.
	Unmarked int
}

// Defaults of AlertLimits.
const (
	DefaultWaiting  = 24 * time.Hour
	DefaultSilence  = 2.0
	DefaultUnmarked = 10
	// DefaultFree is below how many free bytes a disk is nearly full: 1 GiB.
	DefaultFree = 1 << 30
)

const (
	silenceGrace  = 5 * time.Minute
	unmarkedGrace = 15 * time.Minute
	pluginGrace   = time.Minute
	errorsFromNow = "Look at the queue, and at the system that should fetch it."
)

// Alerts finds out what is wrong without anybody asking, and reports it to an
// inbox. All but Disk is required.
type Alerts struct {
	Inbox      *Inbox
	Store      Messages
	Queues     *Queues
	Activities *Activities
	Plugins    func() []PluginStatus
	// Limits are those of a group.
	Limits func(GroupName) AlertLimits
	// Disk returns how many bytes are free for the store, and below how many that
	// is too few. It may be nil, and fail with errors.ErrUnsupported.
	Disk func() (free, least uint64, err error)
	Now  func() time.Time

	started time.Time
	down    map[string]time.Time // plugin files that are out of service, and since when
}

// Check looks at everything once. Call it now and then, from one goroutine.
func (a *Alerts) Check(ctx context.Context) error {
	now := a.Now()
	if a.down == nil {
		a.started, a.down = now, map[string]time.Time{}
	}
	var errs []error
	for _, q := range a.Queues.All() {
		if q.Method == Poll {
			errs = append(errs, a.checkSilent(ctx, q, now), a.checkUnmarked(ctx, q, now))
		}
		errs = append(errs, a.checkWaiting(ctx, q, now))
	}
	errs = append(errs, a.checkPlugins(ctx, now), a.checkDisk(ctx))
	return errors.Join(errs...)
}

// settle raises a report that lasts, or ends it.
func (a *Alerts) settle(ctx context.Context, wrong bool, r ErrorReport) error {
	if !wrong {
		return a.Inbox.End(ctx, r.Kind, r.Group, r.Plugin)
	}
	r.Lasting = true
	return a.Inbox.Raise(ctx, r)
}

func (a *Alerts) checkWaiting(ctx context.Context, q Queue, now time.Time) error {
	limit := a.Limits(q.Group).Waiting
	if limit == 0 {
		limit = DefaultWaiting
	}
	r := ErrorReport{Kind: ErrorWaiting, Group: q.Group}
	oldest, err := a.Store.Unread(ctx, q.Group, 1, 1)
	if err != nil {
		return err
	}
	wrong := limit > 0 && len(oldest) > 0 && now.Sub(oldest[0].Time) > limit
	if wrong {
		r.Title = fmt.Sprintf("The oldest unread message, %d, is older than %s.", oldest[0].ID, Duration(limit))
		r.Details = fmt.Sprintf("It was added at %s. %s", oldest[0].Time.Format(time.RFC3339), errorsFromNow)
	}
	return a.settle(ctx, wrong, r)
}

func (a *Alerts) checkSilent(ctx context.Context, q Queue, now time.Time) error {
	times := a.Limits(q.Group).Silence
	if times == 0 {
		times = DefaultSilence
	}
	activity := a.Activities.Activity(q.Group)
	longest, known := activity.Rhythm()
	limit := time.Duration(float64(longest)*times) + silenceGrace
	// While the daemon was down nobody could call.
	since := activity.Asked
	if since.Before(a.started) {
		since = a.started
	}
	r := ErrorReport{Kind: ErrorSilent, Group: q.Group}
	wrong := times > 0 && known && now.Sub(since) > limit
	if wrong {
		r.Title = fmt.Sprintf("Nobody has asked for messages since %s.", activity.Asked.Format(time.RFC3339))
		r.Details = fmt.Sprintf("Until then the longest of the last %d pauses was %s. %s", len(activity.Pauses), Duration(longest), errorsFromNow)
	}
	return a.settle(ctx, wrong, r)
}

func (a *Alerts) checkUnmarked(ctx context.Context, q Queue, now time.Time) error {
	most := a.Limits(q.Group).Unmarked
	if most == 0 {
		most = DefaultUnmarked
	}
	activity := a.Activities.Activity(q.Group)
	r := ErrorReport{Kind: ErrorUnmarked, Group: q.Group}
	wrong := most > 0 && activity.Unmarked >= uint64(most) && now.Sub(activity.UnmarkedSince) > unmarkedGrace
	if wrong {
		r.Title = fmt.Sprintf("Messages were fetched %d times, and nothing was marked.", activity.Unmarked)
		r.Details = fmt.Sprintf("Since %s the receiver has got messages and not posted a token back, so it gets the same ones again. Its own log should say why.", activity.UnmarkedSince.Format(time.RFC3339))
	}
	return a.settle(ctx, wrong, r)
}

func (a *Alerts) checkPlugins(ctx context.Context, now time.Time) error {
	var errs []error
	down, listed := map[string]time.Time{}, map[string]bool{}
	for _, p := range a.Plugins() {
		listed[p.File] = true
		r := ErrorReport{Kind: ErrorPlugin, Plugin: p.File}
		wrong := p.State == PluginRejected || p.State == PluginBackingOff
		if wrong {
			since, known := a.down[p.File]
			if !known {
				since = now
			}
			down[p.File] = since
			// A crash that is mended at once is in the plugin's own status.
			if wrong = now.Sub(since) >= pluginGrace || p.State == PluginRejected; !wrong {
				continue
			}
			r.Title = fmt.Sprintf("The plugin %s is %s: %s.", p.File, p.State, p.Reason)
			r.Details = p.Failure
			if p.LastExit != nil {
				r.Details = p.LastExit.Reason + "\n" + p.LastExit.Panic
			}
		}
		errs = append(errs, a.settle(ctx, wrong, r))
	}
	for _, q := range a.Queues.All() {
		if q.Plugin == "" || q.Released || listed[q.File] {
			continue
		}
		listed[q.File] = true
		since, known := a.down[q.File]
		if !known {
			since = now
		}
		down[q.File] = since
		if now.Sub(since) >= pluginGrace {
			errs = append(errs, a.settle(ctx, true, ErrorReport{
				Kind: ErrorPlugin, Plugin: q.File,
				Title:   fmt.Sprintf("The plugin file %s is missing, and the queue %q is its own.", q.File, q.Group),
				Details: "Put it back into the plugin folder, or give its queues to another plugin with \"restante queues release\".",
			}))
		}
	}
	open, err := a.Inbox.Open(ctx)
	errs = append(errs, err)
	for _, r := range open {
		if r.Kind == ErrorPlugin && !listed[r.Plugin] { // it was taken out, and has no queue
			errs = append(errs, a.Inbox.End(ctx, ErrorPlugin, "", r.Plugin))
		}
	}
	a.down = down
	return errors.Join(errs...)
}

func (a *Alerts) checkDisk(ctx context.Context) error {
	if a.Disk == nil {
		return nil
	}
	free, least, err := a.Disk()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the space on the disk: %w", err)
	}
	r := ErrorReport{Kind: ErrorDisk}
	wrong := free < least
	if wrong {
		r.Title = fmt.Sprintf("The disk of the data folder is nearly full: %d MiB are free.", free>>20)
		r.Details = "When nothing is free no message can be added. Make space, or prune read messages with \"restante messages prune\"."
	}
	return a.settle(ctx, wrong, r)
}

// Duration writes a time for people: "3 days", "1 hour 30 minutes", "45 seconds".
func Duration(d time.Duration) string {
	units := []struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}}
	count := func(n int64, name string) string {
		if n == 1 {
			return "1 " + name
		}
		return fmt.Sprintf("%d %ss", n, name)
	}
	for i, u := range units {
		n := int64(d / u.of)
		if n == 0 && i+1 < len(units) {
			continue
		}
		text := count(n, u.name)
		if i+1 < len(units) {
			if rest := int64(d % u.of / units[i+1].of); rest > 0 && n < 4 {
				text += " " + count(rest, units[i+1].name)
			}
		}
		return text
	}
	return ""
}
