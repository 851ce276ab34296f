package clustertest

import (
	"slices"
	"sync"
	"time"

	"github.com/restante/restante/host"
)

// call is what a client asks for.
type call string

const (
	add   call = "add"
	fetch call = "fetch"
	mark  call = "mark"
)

// operation is one call of a client and what became of it. Times are since the
// history began.
type operation struct {
	Call       call
	Group      host.GroupName
	Client     int
	Start, End time.Duration
	// Unknown says that there was no answer, so it may have been done, or not, or be
	// done at any time later. End means nothing then.
	Unknown bool

	// Values are the data of an addition, or of the messages that were fetched, and
	// IDs those of the answer. An addition that was repeated under its key is one
	// operation, from its first attempt to its answer, as it is done once.
	Values []string
	IDs    []host.ID
	// Limit is that of a fetch.
	Limit int
	// Batch are the messages of a mark. Each attempt is an operation of its own.
	Batch  host.Ranges
	Marked uint64
	// Unread is the answer to a fetch or a mark.
	Unread uint64
}

// history is all that clients have asked for.
type history struct {
	began time.Time
	mu    sync.Mutex
	all   []operation
}

func newHistory() *history { return &history{began: time.Now()} }

// now is monotonic.
func (h *history) now() time.Duration { return time.Since(h.began) }

func (h *history) record(o operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, o)
}

// operations returns a copy of what there is by now.
func (h *history) operations() []operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all)
}

// byGroup splits operations by their groups.
func byGroup(all []operation) map[host.GroupName][]operation {
	groups := map[host.GroupName][]operation{}
	for _, o := range all {
		groups[o.Group] = append(groups[o.Group], o)
	}
	return groups
}

// stored is what a daemon says of a group when all is over.
type stored struct {
	Values map[host.ID]string
	Read   host.Ranges
	Unread uint64
}

// stall is the longest time without an answered addition to a group.
func stall(all []operation, from, to time.Duration) time.Duration {
	var answers []time.Duration
	for _, o := range all {
		if o.Call == add && !o.Unknown && from < o.End && o.End < to {
			answers = append(answers, o.End)
		}
	}
	slices.Sort(answers)
	longest, last := time.Duration(0), from
	for _, at := range append(answers, to) {
		longest, last = max(longest, at-last), at
	}
	return longest
}
