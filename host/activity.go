package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	// Pauses are the times between visits of the pollers, newest last, at most
	// activityPauses of them. Visits within a minute are one.
	Pauses []time.Duration `json:"pauses,omitempty"`
}

// ActivityHour counts what happened within an hour.
type ActivityHour struct {
	Start     time.Time `json:"start"`
	Added     uint64    `json:"added,omitempty"`
	Delivered uint64    `json:"delivered,omitempty"`
}

const (
	// ActivityHours is for how many hours back messages are counted.
	ActivityHours = 25
	// activityPauses is of how many visits the rhythm of a poller is made.
	activityPauses = 64
	// activityVisit is up to which pause two fetches are one visit.
	activityVisit = time.Minute

	activityBucket = "activity"
)

// Activities watches what happens in each group. It is an Observer, safe for
// concurrent use.
type Activities struct {
	records Records
	now     func() time.Time

	mu     sync.Mutex
	groups map[GroupName]*watchedActivity
}

type watchedActivity struct {
	Activity
	changed bool
}

var _ Observer = (*Activities)(nil)

// OpenActivities goes on with what is known from the store.
func OpenActivities(ctx context.Context, records Records, now func() time.Time) (*Activities, error) {
	a := &Activities{records: records, now: now, groups: map[GroupName]*watchedActivity{}}
	all, err := records.Records(ctx, activityBucket)
	if err != nil {
		return nil, fmt.Errorf("read the activity of the queues: %w", err)
	}
	for _, record := range all {
		var w watchedActivity
		if err := json.Unmarshal(record.Value, &w.Activity); err != nil {
			return nil, fmt.Errorf("%w: the activity of queue %q: %w", ErrDamaged, record.Key, err)
		}
		a.groups[GroupName(record.Key)] = &w
	}
	return a, nil
}

// Activity returns what has happened in a group.
func (a *Activities) Activity(g GroupName) Activity {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.groups[g]
	if w == nil {
		return Activity{}
	}
	c := w.Activity
	c.Hours, c.Pauses = slices.Clone(w.Hours), slices.Clone(w.Pauses)
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
		if pause := now.Sub(w.Asked); !w.Asked.IsZero() && pause > activityVisit {
			w.Pauses = append(w.Pauses, pause.Round(time.Second))
			if over := len(w.Pauses) - activityPauses; over > 0 {
				w.Pauses = slices.Delete(w.Pauses, 0, over)
			}
		}
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
	w := a.groups[g]
	if w == nil {
		w = &watchedActivity{}
		a.groups[g] = w
	}
	note(&w.Activity, now)
	w.changed = true
}

// hour returns the count of this hour.
func (w *Activity) hour(now time.Time) *ActivityHour {
	start := now.Truncate(time.Hour)
	if n := len(w.Hours); n == 0 || !w.Hours[n-1].Start.Equal(start) {
		w.Hours = append(w.Hours, ActivityHour{Start: start})
		oldest := start.Add(-(ActivityHours - 1) * time.Hour)
		w.Hours = slices.DeleteFunc(w.Hours, func(h ActivityHour) bool { return h.Start.Before(oldest) })
	}
	return &w.Hours[len(w.Hours)-1]
}

// Rhythm is the longest pause between visits that the pollers of a group have
// made, and false if there were too few to tell.
func (w Activity) Rhythm() (longest time.Duration, known bool) {
	const enough = 4
	if len(w.Pauses) < enough {
		return 0, false
	}
	return slices.Max(w.Pauses), true
}

// Flush writes what has happened. Call it now and then, and before the store is
// closed: what is not written is not known after a restart.
func (a *Activities) Flush(ctx context.Context) error {
	a.mu.Lock()
	changed := map[GroupName][]byte{}
	for g, w := range a.groups {
		if w.changed {
			changed[g], _ = json.Marshal(w.Activity) // always marshals
			w.changed = false
		}
	}
	a.mu.Unlock()
	var errs []error
	for _, g := range slices.Sorted(maps.Keys(changed)) {
		if err := a.write(ctx, g, changed[g]); err != nil {
			errs = append(errs, fmt.Errorf("write the activity of %q: %w", g, err))
		}
	}
	return errors.Join(errs...)
}

func (a *Activities) write(ctx context.Context, g GroupName, value []byte) error {
	record, err := a.records.Record(ctx, activityBucket, string(g))
	if err != nil && !errors.Is(err, ErrNoRecord) {
		return err
	}
	record.Key, record.Value = string(g), value
	if _, err = a.records.PutRecord(ctx, activityBucket, record); errors.Is(err, ErrConflict) {
		return nil // another daemon's is as good
	}
	return err
}
