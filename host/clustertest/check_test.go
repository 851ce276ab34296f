package clustertest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/restante/restante/host"
)

// check says what is wrong with the history of one group, and with what each daemon
// says of it in the end.
func check(all []operation, daemons map[string]stored) (wrong []string) {
	report := func(format string, args ...any) {
		if len(wrong) < maxReports {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	names := daemonsOf(daemons)
	agree(daemons, names, report)
	last := daemons[names[0]]
	checkAdded(all, last, report)
	checkOrder(all, report)
	checkMarks(all, last, report)
	checkFetches(all, last, report)
	return wrong
}

// maxReports is how many faults of a group are enough.
const maxReports = 20

type reporter func(format string, args ...any)

func daemonsOf(m map[string]stored) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// agree: all daemons have the same messages in the same state, and count them right.
func agree(daemons map[string]stored, names []string, report reporter) {
	first := daemons[names[0]]
	for _, name := range names {
		d := daemons[name]
		if unread := uint64(len(d.Values)) - d.Read.Count(); unread != d.Unread {
			report("%s counts %d unread messages, and lists %d", name, d.Unread, unread)
		}
		if len(d.Values) != len(first.Values) || d.Read.String() != first.Read.String() {
			report("%s has %d messages, of which %s are read, and %s has %d and %s",
				name, len(d.Values), d.Read, names[0], len(first.Values), first.Read)
			continue
		}
		for id, value := range d.Values {
			if first.Values[id] != value {
				report("message %d is %s on %s and %s on %s", id, value, name, first.Values[id], names[0])
			}
		}
	}
}

// checkAdded: what was answered is stored, and nothing is stored twice or was never
// added.
func checkAdded(all []operation, last stored, report reporter) {
	ids := map[string]host.ID{}
	for id, value := range last.Values {
		if other, twice := ids[value]; twice {
			report("%s is stored twice, as %d and %d", value, id, other)
		}
		ids[value] = id
	}
	added := map[string]bool{}
	for _, o := range all {
		if o.Call != add {
			continue
		}
		if some := idsOf(o.Values[:1], ids); o.Unknown && (some == nil) != (idsOf(o.Values, ids) == nil) {
			report("only a part of one addition is stored: %v", o.Values)
		}
		for i, value := range o.Values {
			added[value] = true
			if o.Unknown {
				continue
			}
			if len(o.IDs) != len(o.Values) {
				report("%d messages were added and %d ids answered", len(o.Values), len(o.IDs))
				break
			}
			if got := last.Values[o.IDs[i]]; got != value {
				report("lost: message %d was answered for %s, and is %q", o.IDs[i], value, got)
			}
		}
	}
	for value, id := range ids {
		if !added[value] {
			report("message %d is %s, which nobody added", id, value)
		}
	}
}

// checkOrder: an addition that was answered before another one began has the smaller
// ids.
func checkOrder(all []operation, report reporter) {
	var answered []operation
	for _, o := range all {
		if o.Call == add && !o.Unknown && len(o.IDs) > 0 {
			answered = append(answered, o)
			if !slices.IsSorted(o.IDs) {
				report("one addition was answered %v", o.IDs)
			}
		}
	}
	byEnd := slices.SortedFunc(slices.Values(answered), func(a, b operation) int { return cmp.Compare(a.End, b.End) })
	slices.SortFunc(answered, func(a, b operation) int { return cmp.Compare(a.Start, b.Start) })
	largest, done := host.ID(0), 0
	for _, o := range answered {
		for ; done < len(byEnd) && byEnd[done].End < o.Start; done++ {
			largest = max(largest, slices.Max(byEnd[done].IDs))
		}
		if least := slices.Min(o.IDs); least <= largest {
			report("order: message %d was answered before the call began that added %d", largest, least)
		}
	}
}

// checkMarks: a message is counted by one mark, and is read once a mark of it was
// answered.
func checkMarks(all []operation, last stored, report reporter) {
	var counted uint64
	var known, unknown host.Ranges
	for _, o := range all {
		if o.Call != mark {
			continue
		}
		to := &known
		if o.Unknown {
			to = &unknown
		} else {
			counted += o.Marked
		}
		for r := range o.Batch.All() {
			to.Add(r)
		}
	}
	for id := range known.IDs() {
		if !last.Read.Contains(id) {
			report("the mark of message %d was answered, and it is not read", id)
		}
	}
	for id := range last.Read.IDs() {
		if !known.Contains(id) && !unknown.Contains(id) {
			report("message %d is read, and nobody marked it", id)
		}
	}
	// What only a call without an answer can have marked may have been counted by it.
	if read := last.Read.Count(); counted > read || counted+unknown.Count() < read {
		report("marked twice or never: the marks counted %d messages, up to %d more may have been marked without an answer, and %d are read", counted, unknown.Count(), read)
	}
}

// span is when something is certain to have been, or may have been.
type span map[host.ID]time.Duration

func (s span) earliest(id host.ID, at time.Duration) {
	if before, ok := s[id]; !ok || at < before {
		s[id] = at
	}
}

// checkFetches: a fetch has the oldest messages that are unread, in order and with
// their own data. It has no message whose mark was answered before, and leaves out
// none that was there before and that nobody had tried to mark.
func checkFetches(all []operation, last stored, report reporter) {
	added, tried, marked := span{}, span{}, span{}
	for _, o := range all {
		switch {
		case o.Call == add && !o.Unknown:
			for _, id := range o.IDs {
				added.earliest(id, o.End)
			}
		case o.Call == mark:
			for id := range o.Batch.IDs() {
				tried.earliest(id, o.Start)
				if !o.Unknown {
					marked.earliest(id, o.End)
				}
			}
		}
	}
	for _, o := range all {
		if o.Call != fetch || o.Unknown {
			continue
		}
		has := map[host.ID]bool{}
		for i, id := range o.IDs {
			has[id] = true
			if i > 0 && id <= o.IDs[i-1] {
				report("a fetch has message %d after %d", id, o.IDs[i-1])
			}
			if o.Values[i] != last.Values[id] {
				report("a fetch has %s as message %d, which is %q", o.Values[i], id, last.Values[id])
			}
			if at, ok := marked[id]; ok && at < o.Start {
				report("message %d was fetched %v after its mark was answered", id, o.Start-at)
			}
		}
		full := len(o.IDs) >= o.Limit
		for id, at := range added {
			if has[id] || at >= o.Start || full && id > o.IDs[len(o.IDs)-1] {
				continue
			}
			if begun, ok := tried[id]; !ok || begun > o.End {
				report("a fetch of %v, at most %d, leaves out message %d, which was there %v before and unread", o.IDs, o.Limit, id, o.Start-at)
			}
		}
	}
}
