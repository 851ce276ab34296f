package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"
)

// State is what a group remembers beside its messages: the last id and which
// messages are read or held. Every store keeps one State a group and changes it
// only through these methods, so that all stores count alike.
//
// The zero value is a new group. It is not safe for concurrent use while it
// changes.
type State struct {
	// Last is the id of the newest message; the next gets Last+1.
	Last ID
	// Time is when the newest message was committed.
	Time time.Time

	// Three sets that share no id, all within 1 to Last. Messages in none of
	// them are unread.
	read, held, gone Ranges
}

// Clone returns a copy that can be changed without changing s.
func (s State) Clone() State {
	s.read, s.held, s.gone = s.read.Clone(), s.held.Clone(), s.gone.Clone()
	return s
}

// Append numbers n new messages and returns the first of their ids and their
// time, which is now unless the clock went back.
func (s *State) Append(n int, now time.Time) (first ID, at time.Time) {
	first = s.Last + 1
	s.Last += ID(n)
	if now.After(s.Time) {
		s.Time = now.UTC()
	}
	return first, s.Time
}

// Move gives the messages in ids a new status and returns how many did not
// have it before. Ids of messages that don't exist are passed over.
func (s *State) Move(ids Ranges, to Status) (moved uint64) {
	for r := range ids.All() {
		for r := range s.Stored(r) {
			switch to {
			case Unread:
				moved += s.read.Remove(r) + s.held.Remove(r)
			case Read:
				moved += s.read.Add(r)
				s.held.Remove(r)
			case Held:
				moved += s.held.Add(r)
				s.read.Remove(r)
			}
		}
	}
	return moved
}

// Forget records that the messages in ids are no longer stored, and returns
// those it recorded: only read ones can be forgotten.
func (s *State) Forget(ids Ranges) (forgotten Ranges) {
	for r := range ids.All() {
		for part := range s.read.within(r) {
			forgotten.Add(part)
		}
	}
	for r := range forgotten.All() {
		s.read.Remove(r)
		s.gone.Add(r)
	}
	return forgotten
}

// Skip records that the ids of r were given out and that no message has them, as
// its addition was given up, or its message was lost. Last becomes r.Last if it was
// less.
func (s *State) Skip(r Range) {
	s.Last = max(s.Last, r.Last)
	s.read.Remove(r)
	s.held.Remove(r)
	s.gone.Add(r)
}

// Status returns the status of a message, and false if there is no such
// message.
func (s *State) Status(id ID) (Status, bool) {
	switch {
	case id == 0 || id > s.Last || s.gone.Contains(id):
		return 0, false
	case s.read.Contains(id):
		return Read, true
	case s.held.Contains(id):
		return Held, true
	}
	return Unread, true
}

// Counts takes constant time.
func (s *State) Counts() Counts {
	read, held := s.read.Count(), s.held.Count()
	return Counts{Last: s.Last, Read: read, Held: held, Unread: uint64(s.Last) - read - held - s.gone.Count()}
}

// CountIn counts the messages in ids by their status; ids without a message are
// passed over. It takes as long as there are ranges.
func (s *State) CountIn(ids Ranges) Counts {
	c := Counts{Last: s.Last}
	for r := range ids.All() {
		r.Last = min(r.Last, s.Last)
		if r.First > r.Last {
			break
		}
		read, held := s.read.countWithin(r), s.held.countWithin(r)
		c.Read, c.Held = c.Read+read, c.Held+held
		c.Unread += r.len() - read - held - s.gone.countWithin(r)
	}
	return c
}

// Read yields the ranges of read messages in ascending order.
func (s *State) Read() iter.Seq[Range] { return s.read.All() }

// Unread yields the ranges of unread messages in ascending order.
func (s *State) Unread() iter.Seq[Range] { return s.free(Range{1, s.Last}, s.read, s.held, s.gone) }

// Newest yields the ranges of the messages with one of the given statuses, or of
// all if none is given, from the newest one older than before, or the newest of
// all if before is 0, in descending order. Ranges may touch. A status costs what
// its own ranges cost, so finding three held messages among millions is quick.
func (s *State) Newest(before ID, only ...Status) iter.Seq[Range] {
	if len(only) == 0 {
		only = []Status{Unread, Read, Held}
	}
	if before == 0 || before > s.Last {
		before = s.Last + 1
	}
	return func(yield func(Range) bool) {
		next := make([]Range, len(only)) // the newest range of each status
		for i, status := range only {
			next[i] = s.newest(status, before-1)
		}
		for {
			at := 0
			for i := range next {
				if next[i].Last > next[at].Last {
					at = i
				}
			}
			r := next[at]
			if r.Last == 0 || !yield(r) {
				return
			}
			for i, status := range only { // a status may be given twice
				if next[i].Last == r.Last {
					next[i] = s.newest(status, r.First-1)
				}
			}
		}
	}
}

// newest returns the range of a status that has the largest id up to at, cut off
// there; the zero Range if there is none.
func (s *State) newest(status Status, at ID) Range {
	switch status {
	case Read:
		return s.read.newest(at)
	case Held:
		return s.held.newest(at)
	}
	free := Range{Last: at}
	for taken := true; taken; {
		taken, free.First = false, 1
		for _, set := range []Ranges{s.read, s.held, s.gone} {
			r := set.newest(free.Last)
			if r.Last == 0 {
				continue
			}
			if taken = r.Last == free.Last; taken {
				free.Last = r.First - 1
				break
			}
			free.First = max(free.First, r.Last+1)
		}
	}
	if free.Last == 0 {
		return Range{}
	}
	return free
}

// newest returns the range with the largest id up to at, cut off there; the zero
// Range if there is none.
func (s Ranges) newest(at ID) Range {
	i := s.search(at)
	if i < len(s.list) && s.list[i].First <= at {
		return Range{s.list[i].First, at}
	}
	if i == 0 {
		return Range{}
	}
	return s.list[i-1]
}

// Stored yields the parts of r whose messages are stored, in ascending order. The
// state must not change meanwhile.
func (s *State) Stored(r Range) iter.Seq[Range] {
	return s.free(Range{max(r.First, 1), min(r.Last, s.Last)}, s.gone)
}

// free yields the parts of r that are in none of the sets, which must not change
// while it runs.
func (s *State) free(r Range, sets ...Ranges) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for at := r.First; at != 0 && at <= r.Last; {
			end, taken := r.Last, false
			for _, set := range sets {
				i := set.search(at)
				if i == len(set.list) {
					continue
				}
				if next := set.list[i]; next.First <= at {
					at, taken = next.Last+1, true
					break
				} else {
					end = min(end, next.First-1)
				}
			}
			if taken {
				continue
			}
			if !yield(Range{at, end}) {
				return
			}
			at = end + 1
		}
	}
}

// within yields the parts of r that are in the set.
func (s Ranges) within(r Range) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for i := s.search(r.First); i < len(s.list) && s.list[i].First <= r.Last; i++ {
			if !yield(Range{max(r.First, s.list[i].First), min(r.Last, s.list[i].Last)}) {
				return
			}
		}
	}
}

func (s Ranges) countWithin(r Range) (n uint64) {
	for part := range s.within(r) {
		n += part.len()
	}
	return n
}

const stateVersion = 1

// AppendBinary appends the state in the form that UnmarshalBinary reads. It
// never fails.
func (s State) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, stateVersion)
	b = binary.AppendUvarint(b, uint64(s.Last))
	nanos := int64(0)
	if !s.Time.IsZero() {
		nanos = s.Time.UnixNano()
	}
	b = binary.AppendVarint(b, nanos)
	for _, set := range []Ranges{s.read, s.held, s.gone} {
		b, _ = set.AppendBinary(b)
	}
	return b, nil
}

// UnmarshalBinary reads a state and checks that it is consistent.
func (s *State) UnmarshalBinary(b []byte) error {
	*s = State{}
	if len(b) == 0 || b[0] != stateVersion {
		return errors.New("state of a group: unknown version")
	}
	b = b[1:]
	last, n := binary.Uvarint(b)
	if n <= 0 || last > uint64(MaxID) {
		return errors.New("state of a group: malformed last id")
	}
	b = b[n:]
	nanos, n := binary.Varint(b)
	if n <= 0 {
		return errors.New("state of a group: malformed time")
	}
	b = b[n:]
	s.Last = ID(last)
	if nanos != 0 {
		s.Time = time.Unix(0, nanos).UTC()
	}
	for _, set := range []*Ranges{&s.read, &s.held, &s.gone} {
		var err error
		if *set, b, err = decodeRanges(b); err != nil {
			return fmt.Errorf("state of a group: %w", err)
		}
	}
	if len(b) > 0 {
		return errors.New("state of a group: bytes after the end")
	}
	return s.Check()
}

// Check returns an error unless the sets lie within 1 to Last and share no id.
func (s *State) Check() error {
	var all Ranges
	for _, set := range []Ranges{s.read, s.held, s.gone} {
		for r := range set.All() {
			if r.Last > s.Last {
				return fmt.Errorf("state of a group: id %d is over the last, %d", r.Last, s.Last)
			}
			if all.Add(r) != r.len() {
				return fmt.Errorf("state of a group: an id of %d to %d has two statuses", r.First, r.Last)
			}
		}
	}
	return nil
}
