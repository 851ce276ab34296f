package host

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Range is the ids from First to Last, both included.
type Range struct{ First, Last ID }

// Ranges is a set of ids, kept as sorted ranges that neither overlap nor
// touch. It costs what its ranges cost, however many ids they hold: ten million
// messages that were read in order are one range.
//
// The zero value is the empty set. A Ranges may be copied to be read; Clone it
// before changing a copy. It is not safe for concurrent use while it changes.
type Ranges struct {
	list  []Range
	count uint64
}

// NewRanges returns the set of the given ids, which may come in any order and
// more than once.
func NewRanges(ids ...ID) Ranges {
	var s Ranges
	for _, id := range ids {
		s.Add(Range{id, id})
	}
	return s
}

// Count returns the number of ids in the set. It takes constant time.
func (s Ranges) Count() uint64 { return s.count }

// All yields the ranges in ascending order.
func (s Ranges) All() iter.Seq[Range] { return slices.Values(s.list) }

// IDs yields every id in ascending order.
func (s Ranges) IDs() iter.Seq[ID] {
	return func(yield func(ID) bool) {
		for _, r := range s.list {
			for id := r.First; id <= r.Last; id++ {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// Contains reports whether id is in the set.
func (s Ranges) Contains(id ID) bool {
	i := s.search(id)
	return i < len(s.list) && s.list[i].First <= id
}

// search returns the index of the first range that ends at id or later.
func (s Ranges) search(id ID) int {
	i, _ := slices.BinarySearchFunc(s.list, id, func(r Range, id ID) int { return cmp.Compare(r.Last, id) })
	return i
}

// Clone returns a copy that can be changed without changing s.
func (s Ranges) Clone() Ranges { return Ranges{slices.Clone(s.list), s.count} }

// Add puts the ids of r into the set and returns how many were new. A range
// that holds no id, or an id that is 0 or over MaxID, adds nothing.
func (s *Ranges) Add(r Range) (added uint64) {
	if !r.valid() {
		return 0
	}
	// Ranges i to j-1 overlap r or touch it; they and r become one.
	i := s.search(r.First - 1)
	j := i
	merged, had := r, uint64(0)
	for ; j < len(s.list) && s.list[j].First <= r.Last+1; j++ {
		merged.First = min(merged.First, s.list[j].First)
		merged.Last = max(merged.Last, s.list[j].Last)
		had += s.list[j].len()
	}
	added = merged.len() - had
	if added > 0 {
		s.list = slices.Replace(s.list, i, j, merged)
		s.count += added
	}
	return added
}

// Remove takes the ids of r out of the set and returns how many were in it.
func (s *Ranges) Remove(r Range) (removed uint64) {
	if !r.valid() {
		return 0
	}
	i := s.search(r.First)
	j := i
	var rest []Range
	for ; j < len(s.list) && s.list[j].First <= r.Last; j++ {
		old := s.list[j]
		removed += old.len()
		if old.First < r.First {
			rest = append(rest, Range{old.First, r.First - 1})
		}
		if old.Last > r.Last {
			rest = append(rest, Range{r.Last + 1, old.Last})
		}
	}
	for _, r := range rest {
		removed -= r.len()
	}
	if removed > 0 {
		s.list = slices.Replace(s.list, i, j, rest...)
		s.count -= removed
	}
	return removed
}

func (r Range) valid() bool { return 0 < r.First && r.First <= r.Last && r.Last <= MaxID }

func (r Range) len() uint64 { return uint64(r.Last-r.First) + 1 }

// String writes the set for people: "1-16,20".
func (s Ranges) String() string {
	var b strings.Builder
	for i, r := range s.list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(r.First), 10))
		if r.Last > r.First {
			b.WriteByte('-')
			b.WriteString(strconv.FormatUint(uint64(r.Last), 10))
		}
	}
	return b.String()
}

// ParseRanges reads what String writes; order and overlap don't matter.
func ParseRanges(text string) (Ranges, error) {
	var s Ranges
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.ParseUint(first, 10, 64)
		b, errB := strconv.ParseUint(last, 10, 64)
		r := Range{ID(a), ID(b)}
		if errA != nil || errB != nil || !r.valid() {
			return Ranges{}, fmt.Errorf("%q is not an id or a range of ids: write for example \"7\" or \"1-16,20\"", part)
		}
		s.Add(r)
	}
	return s, nil
}

var errBadRanges = errors.New("malformed set of ids")

// AppendBinary appends the set in a compact form that is the same for equal
// sets: the number of ranges, then for each the distance from the end of the
// one before and its length, all as unsigned varints. It never fails.
func (s Ranges) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(len(s.list)))
	var end ID
	for _, r := range s.list {
		b = binary.AppendUvarint(b, uint64(r.First-end))
		b = binary.AppendUvarint(b, r.len())
		end = r.Last
	}
	return b, nil
}

// decodeRanges reads a set from the start of b and returns what follows it.
// It accepts only what AppendBinary writes.
func decodeRanges(b []byte) (s Ranges, rest []byte, err error) {
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || n > 1 && b[n-1] == 0 {
			err = errBadRanges
			return 0
		}
		b = b[n:]
		return v
	}
	n := number()
	if n > uint64(len(b))/2 {
		return Ranges{}, nil, errBadRanges
	}
	s.list = make([]Range, 0, n)
	var end ID
	for i := range n {
		gap, length := number(), number()
		if err != nil || gap == 0 || gap == 1 && i > 0 || length == 0 ||
			gap > uint64(MaxID-end) || length-1 > uint64(MaxID-end)-gap {
			return Ranges{}, nil, errBadRanges
		}
		r := Range{end + ID(gap), end + ID(gap) + ID(length-1)}
		s.list = append(s.list, r)
		s.count += r.len()
		end = r.Last
	}
	return s, b, err
}
