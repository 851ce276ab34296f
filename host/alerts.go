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
	// alertPause is how old what a report says of something that lasts may get.
	alertPause = 10 * time.Minute
	// goneDaemon is after how long without a word a daemon does not count any more.
	goneDaemon = 3 * alertPause

	lookAtQueue   = "Look at the queue, and at the system that should fetch it."
	lookAtSending = "The page Sending of the queue, or \"restante send status %s\", says why it was not sent."
)

// Alerts finds out what is wrong without anybody asking, and reports it to an
// inbox. All but Disk is required.
type Alerts struct {
	Inbox      *Inbox
	Store      Messages
	Queues     *Queues
	Activities *Activities
	// Plugins returns the state of every file of the plugin folder, once it was
	// looked at.
	Plugins func() []PluginStatus
	// Limits are those of a group.
	Limits func(GroupName) AlertLimits
	// Disk returns how many bytes are free for the store, and below how many that
	// is too few. It may be nil, and fail with errors.ErrUnsupported.
	Disk func() (free, least uint64, err error)
	Now  func() time.Time
	// Daemon is the name of this daemon, if others share the store: each has plugins
	// and a disk of its own. What one of them reported that is gone is over when
	// another has not heard of it for half an hour.
	Daemon string

	started time.Time
	open    map[string]ErrorReport // by subject, as of this check
	down    map[string]time.Time   // plugin files that are out of service, and since when
}

// Check looks at everything once. Call it now and then, from one goroutine.
func (a *Alerts) Check(ctx context.Context) error {
	now := a.Now()
	if a.started.IsZero() {
		a.started = now
	}
	open, err := a.Inbox.Open(ctx)
	if err != nil {
		return err
	}
	a.open = make(map[string]ErrorReport, len(open))
	for _, r := range open {
		a.open[r.subject()] = r
	}
	errs := []error{a.endOfBlocked(ctx)}
	for _, q := range a.Queues.All() {
		errs = append(errs, a.checkWaiting(ctx, q, now), a.checkSilent(ctx, q, now), a.checkUnmarked(ctx, q, now))
	}
	errs = append(errs, a.checkPlugins(ctx, now), a.checkDisk(ctx, now), a.endOfGone(ctx, now))
	return errors.Join(errs...)
}

// lasting returns the report of what was wrong at the last check, if it was.
func (a *Alerts) lasting(of ErrorReport) (ErrorReport, bool) {
	r, ok := a.open[of.subject()]
	return r, ok && r.lasts()
}

// here says of a report that it is of this daemon alone.
func (a *Alerts) here(r ErrorReport) ErrorReport {
	if r.Daemon = a.Daemon; r.Daemon != "" && r.Title != "" {
		r.Title = "On " + r.Daemon + ": " + r.Title
	}
	return r
}

// endOfGone ends what daemons have reported that are gone.
func (a *Alerts) endOfGone(ctx context.Context, now time.Time) error {
	var errs []error
	for _, r := range a.open {
		if r.Daemon != "" && r.Daemon != a.Daemon && now.Sub(r.Last) >= goneDaemon {
			errs = append(errs, a.settle(ctx, false, r, now))
		}
	}
	return errors.Join(errs...)
}

// endOfBlocked ends that a queue is blocked when none of the messages that stood in
// the way is unread: somebody has held it, or another daemon has handed it out.
func (a *Alerts) endOfBlocked(ctx context.Context) error {
	var errs []error
	for _, r := range a.open {
		if r.Kind != ErrorBlocked || !r.lasts() {
			continue
		}
		counts, err := a.Store.CountIn(ctx, r.Group, idsOf(r.Messages))
		if err != nil {
			errs = append(errs, fmt.Errorf("look at what blocks %q: %w", r.Group, err))
		} else if counts.Unread == 0 {
			errs = append(errs, a.Inbox.end(ctx, r.subject()))
		}
	}
	return errors.Join(errs...)
}

// settle raises a report that lasts, or ends it. What is known already is only
// written again now and then.
func (a *Alerts) settle(ctx context.Context, wrong bool, r ErrorReport, now time.Time) error {
	known, lasts := a.lasting(r)
	switch {
	case !wrong && lasts:
		return a.Inbox.end(ctx, r.subject())
	case !wrong, lasts && known.Title == limited(r.Title, maxReportTitle) && now.Sub(known.Last) < alertPause:
		return nil
	}
	return a.Inbox.Raise(ctx, r)
}

func (a *Alerts) checkWaiting(ctx context.Context, q Queue, now time.Time) error {
	limit := a.Limits(q.Group).Waiting
	if limit == 0 {
		limit = DefaultWaiting
	}
	oldest, err := a.Store.Unread(ctx, q.Group, 1, 1)
	if err != nil {
		return fmt.Errorf("find the oldest unread message of %q: %w", q.Group, err)
	}
	r := ErrorReport{Kind: ErrorWaiting, Group: q.Group}
	wrong := limit > 0 && len(oldest) > 0 && now.Sub(oldest[0].Time) > limit
	if wrong {
		r.Title = fmt.Sprintf("The oldest unread message, %d, is older than %s.", oldest[0].ID, Duration(limit))
		next := lookAtQueue
		if q.Method == Send {
			next = fmt.Sprintf(lookAtSending, q.Group)
		}
		r.Details = fmt.Sprintf("It was added at %s. %s", oldest[0].Time.Format(time.RFC3339), next)
	}
	return a.settle(ctx, wrong, r, now)
}

func (a *Alerts) checkSilent(ctx context.Context, q Queue, now time.Time) error {
	times := a.Limits(q.Group).Silence
	if times == 0 {
		times = DefaultSilence
	}
	activity := a.Activities.Activity(q.Group)
	longest, known := activity.Rhythm()
	limit := time.Duration(float64(longest)*times) + silenceGrace
	since := activity.Asked
	// While the daemon was down nobody could call; but who was silent before still
	// is.
	if _, lasts := a.lasting(ErrorReport{Kind: ErrorSilent, Group: q.Group}); !lasts && since.Before(a.started) {
		since = a.started
	}
	r := ErrorReport{Kind: ErrorSilent, Group: q.Group}
	wrong := q.Method == Poll && times > 0 && known && now.Sub(since) > limit
	if wrong {
		r.Title = fmt.Sprintf("Nobody has asked for messages since %s.", activity.Asked.Format(time.RFC3339))
		r.Details = fmt.Sprintf("Until then the longest pause was %s. %s", Duration(longest), lookAtQueue)
	}
	return a.settle(ctx, wrong, r, now)
}

func (a *Alerts) checkUnmarked(ctx context.Context, q Queue, now time.Time) error {
	most := a.Limits(q.Group).Unmarked
	if most == 0 {
		most = DefaultUnmarked
	}
	activity := a.Activities.Activity(q.Group)
	r := ErrorReport{Kind: ErrorUnmarked, Group: q.Group}
	wrong := q.Method == Poll && most > 0 && activity.Unmarked >= uint64(most) && now.Sub(activity.UnmarkedSince) > unmarkedGrace
	if wrong {
		r.Title = "Messages are fetched again and again, and nothing is marked."
		r.Details = fmt.Sprintf("Since %s the receiver has got messages %d times and not posted a token back, so it gets the same ones again. Its own log should say why.",
			activity.UnmarkedSince.Format(time.RFC3339), activity.Unmarked)
	}
	return a.settle(ctx, wrong, r, now)
}

func (a *Alerts) checkDisk(ctx context.Context, now time.Time) error {
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
		r.Title = fmt.Sprintf("The disk of the data folder is nearly full: less than %d MiB are free.", least>>20)
		r.Details = fmt.Sprintf("%d MiB are free. When nothing is, no message can be added. Make space, or prune read messages with \"restante messages prune\".", free>>20)
	}
	return a.settle(ctx, wrong, a.here(r), now)
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
