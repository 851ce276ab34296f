package host

import (
	"slices"
	"time"
)

// clone returns a copy that shares nothing.
func (w Activity) clone() Activity {
	w.Hours, w.Days = slices.Clone(w.Hours), slices.Clone(w.Days)
	return w
}

// merged returns what others have stored, and what was seen here since both were
// the same. What is counted is added up. Of what began or ended with a mark, that
// holds which was marked last: which of the fetches of others came after it nobody
// knows.
func (w *watchedActivity) merged(theirs Activity) Activity {
	ours, before, m := w.Activity, w.stored.Activity, theirs.clone()
	m.Added, m.Asked = latest(ours.Added, theirs.Added), latest(ours.Asked, theirs.Asked)
	m.Fetched, m.Marked = latest(ours.Fetched, theirs.Fetched), latest(ours.Marked, theirs.Marked)
	if ours.Failed.After(theirs.Failed) {
		m.Failed, m.Failure = ours.Failed, ours.Failure
	}
	switch {
	case ours.Marked.Equal(theirs.Marked) && ours.Marked.Equal(before.Marked):
		m.Unmarked += ours.Unmarked - min(before.Unmarked, ours.Unmarked)
		m.UnmarkedSince = earliest(ours.UnmarkedSince, theirs.UnmarkedSince)
	case ours.Marked.After(theirs.Marked):
		m.Unmarked, m.UnmarkedSince = ours.Unmarked, ours.UnmarkedSince
	}
	m.Hours = mergeHours(ours.Hours, before.Hours, theirs.Hours)
	m.Visits = mergeVisits(ours, theirs)
	m.Days = mergeDays(ours.Days, before.Days, theirs.Days)
	return m
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earliest passes over what is not known.
func earliest(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}

// mergeVisits returns since when somebody has asked all the time, here or there. If
// the two do not touch, the later one goes on.
func mergeVisits(ours, theirs Activity) time.Time {
	first, last := ours, theirs
	if last.Visits.Before(first.Visits) {
		first, last = last, first
	}
	if !first.Visits.IsZero() && last.Visits.Sub(first.Asked) <= activityVisit {
		return first.Visits
	}
	return last.Visits
}

func mergeHours(ours, before, theirs []ActivityHour) []ActivityHour {
	all := slices.Clone(theirs)
	for _, h := range ours {
		at := func(other ActivityHour) int { return other.Start.Compare(h.Start) }
		if i, ok := searchBy(before, at); ok {
			h.Added -= min(before[i].Added, h.Added)
			h.Delivered -= min(before[i].Delivered, h.Delivered)
		}
		if i, ok := searchBy(all, at); ok {
			all[i].Added += h.Added
			all[i].Delivered += h.Delivered
		} else if h.Added > 0 || h.Delivered > 0 {
			all = slices.Insert(all, i, h)
		}
	}
	return all[max(0, len(all)-ActivityHours):]
}

func mergeDays(ours, before, theirs []ActivityDay) []ActivityDay {
	all := slices.Clone(theirs)
	for _, d := range ours {
		at := func(other ActivityDay) int { return other.Start.Compare(d.Start) }
		if i, ok := searchBy(before, at); ok {
			d.Pauses -= min(before[i].Pauses, d.Pauses)
		}
		if i, ok := searchBy(all, at); ok {
			all[i].Pauses += d.Pauses
			all[i].Longest = max(all[i].Longest, d.Longest)
		} else if d.Pauses > 0 {
			all = slices.Insert(all, i, d)
		}
	}
	return all[max(0, len(all)-ActivityDays):]
}

// searchBy finds where at is 0 in what is sorted by it.
func searchBy[T any](all []T, at func(T) int) (int, bool) {
	return slices.BinarySearchFunc(all, 0, func(one T, _ int) int { return at(one) })
}
