package host

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"
)

// Activity is what has happened in a group lately.
type Activity struct {
	// Added, Fetched and Marked are when messages were last added, handed out and
	// marked; zero if that is not known. Asked is when somebody last asked for
	// messages, whether there were any or not.
	Added   time.Time `json:"added,omitzero"`
	Asked   time.Time `json:"asked,omitzero"`
	Fetched time.Time `json:"fetched,omitzero"`
	Marked  time.Time `json:"marked,omitzero"`
	// Failed is when a fetch last failed, and Failure why.
	Failed  time.Time `json:"failed,omitzero"`
	Failure string    `json:"failure,omitempty"`
	// Hours counts messages hour by hour, oldest first, at most ActivityHours of
	// them, and none in which nothing happened.
	Hours []ActivityHour `json:"hours,omitempty"`
	// Unmarked is how often messages were fetched since something was marked, and
	// UnmarkedSince when that began.
	Unmarked      uint64    `json:"unmarked,omitempty"`
	UnmarkedSince time.Time `json:"unmarkedSince,omitzero"`
	// Visits is since when somebody has asked at least once a minute, up to Asked.
	Visits time.Time `json:"visits,omitzero"`
	// Days are those on which somebody asked after a pause of more than a minute,
	// oldest first, at most ActivityDays of them.
	Days []ActivityDay `json:"days,omitempty"`
}

// ActivityDay counts the pauses that pollers made, each on the day on which it
// ended. A day is one of UTC.
type ActivityDay struct {
	Start   time.Time     `json:"start"`
	Pauses  int           `json:"pauses"`
	Longest time.Duration `json:"longest"` // in nanoseconds
}

// ActivityHour counts what happened within an hour.
type ActivityHour struct {
	Start     time.Time `json:"start"`
	Added     uint64    `json:"added,omitempty"`
	Delivered uint64    `json:"delivered,omitempty"`
}

const (
	// ActivityHours is for how many hours back messages are counted, this one
	// included.
	ActivityHours = 25
	// ActivityDays is from how many days the rhythm of pollers is known: two weeks
	// and a day, so that what rests on Sundays has done so before.
	ActivityDays = 15
	// activityVisit is up to which pause two fetches are one visit.
	activityVisit = time.Minute

	activityBucket = "activity"
)

// Activities watches what happens in each group. What several daemons on one store
// see is put together whenever they write it; so of what others see, a daemon knows
// only what they have written. It is an Observer, safe for concurrent use.
type Activities struct {
	records Records
	shared  bool
	writer  string // if others may write, too; else empty
	now     func() time.Time
	opened  time.Time

	writing sync.Mutex // held while records are written, or read again

	mu     sync.Mutex
	groups map[GroupName]*watchedActivity
}

type watchedActivity struct {
	Activity
	changed bool
	// stored is what was last read or written, with who wrote, and revision that of
	// its record.
	stored   storedActivity
	revision uint64
	// uncertain was written, or was not, as nobody answered; nil if all is known.
	uncertain *storedActivity
}

var _ Observer = (*Activities)(nil)

// OpenActivities goes on with what is known from the store.
func OpenActivities(ctx context.Context, records Records, now func() time.Time) (*Activities, error) {
	a := &Activities{records: records, shared: IsShared(records), now: now, opened: now(), groups: map[GroupName]*watchedActivity{}}
	if a.shared {
		a.writer = strings.ToLower(rand.Text()[:10])
	}
	if err := a.read(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// group returns what is known of a group; a.mu is held.
func (a *Activities) group(g GroupName) *watchedActivity {
	w := a.groups[g]
	if w == nil {
		w = &watchedActivity{}
		a.groups[g] = w
	}
	return w
}

// Activity returns what has happened in a group.
func (a *Activities) Activity(g GroupName) Activity {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.groups[g]
	if w == nil {
		return Activity{}
	}
	c := w.clone()
	c.Hours = recentHours(c.Hours, a.now())
	return c
}

// Added implements Observer.
func (a *Activities) Added(g GroupName, messages int) {
	a.note(g, func(w *Activity, now time.Time) {
		w.Added = now
		w.hour(now).Added += uint64(messages)
	})
}

// Fetched implements Observer.
func (a *Activities) Fetched(g GroupName, f Fetched, err error) {
	a.note(g, func(w *Activity, now time.Time) {
		w.visit(now, a.opened)
		w.Asked = now
		switch {
		case err != nil:
			w.Failed, w.Failure = now, limited(err.Error(), maxReportTitle)
		case f.IDs.Count() > 0:
			w.Fetched = now
			if w.Unmarked++; w.Unmarked == 1 {
				w.UnmarkedSince = now
			}
		}
	})
}

// Marked implements Observer.
func (a *Activities) Marked(g GroupName, messages uint64) {
	a.note(g, func(w *Activity, now time.Time) {
		w.Marked, w.Unmarked, w.UnmarkedSince = now, 0, time.Time{}
		w.hour(now).Delivered += messages
	})
}

func (a *Activities) note(g GroupName, note func(w *Activity, now time.Time)) {
	now := a.now().UTC().Truncate(time.Second)
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.group(g)
	note(&w.Activity, now)
	w.changed = true
}

// hour returns the count of this hour.
func (w *Activity) hour(now time.Time) *ActivityHour {
	start := now.Truncate(time.Hour)
	w.Hours = recentHours(w.Hours, now)
	if n := len(w.Hours); n == 0 || !w.Hours[n-1].Start.Equal(start) {
		w.Hours = append(w.Hours, ActivityHour{Start: start})
	}
	return &w.Hours[len(w.Hours)-1]
}

// recentHours drops the hours that are too old, and those that are to come again
// as the clock was set back.
func recentHours(hours []ActivityHour, now time.Time) []ActivityHour {
	newest := now.Truncate(time.Hour)
	oldest := newest.Add(-(ActivityHours - 1) * time.Hour)
	return slices.DeleteFunc(hours, func(h ActivityHour) bool { return h.Start.Before(oldest) || h.Start.After(newest) })
}

// visit counts the pause before a visit, unless the daemon was started in it and
// nobody could come.
func (w *Activity) visit(now, started time.Time) {
	pause := now.Sub(w.Asked)
	if !w.Asked.IsZero() && pause <= activityVisit {
		return
	}
	w.Visits = now
	if w.Asked.Before(started.Truncate(time.Second)) {
		return
	}
	today := now.Truncate(24 * time.Hour)
	if n := len(w.Days); n == 0 || w.Days[n-1].Start.Before(today) {
		w.Days = append(w.Days, ActivityDay{Start: today})
		w.Days = w.Days[max(0, len(w.Days)-ActivityDays):]
	}
	day := &w.Days[len(w.Days)-1]
	day.Pauses++
	day.Longest = max(day.Longest, pause)
}

// Rhythm is the longest pause that the pollers of a group have made lately, at
// least a minute, and false if too little was seen of them to tell: four pauses, or
// none in a whole day.
func (w Activity) Rhythm() (longest time.Duration, known bool) {
	const enough = 4
	pauses := 0
	longest = activityVisit
	for _, d := range w.Days {
		pauses += d.Pauses
		longest = max(longest, d.Longest)
	}
	return longest, pauses >= enough || w.Asked.Sub(w.Visits) >= 24*time.Hour
}
