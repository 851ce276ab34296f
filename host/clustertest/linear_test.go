package clustertest

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/restante/restante/host"
)

// queue is a group as it would be on one machine, to which calls come one after the
// other.
type queue struct {
	last host.ID
	read host.Ranges
}

func (q queue) unread() uint64 { return uint64(q.last) - q.read.Count() }

// oldest returns the oldest unread messages.
func (q queue) oldest(limit int) (ids []host.ID) {
	next := host.ID(1)
	upTo := func(end host.ID) {
		for ; next <= end && len(ids) < limit; next++ {
			ids = append(ids, next)
		}
	}
	for r := range q.read.All() {
		upTo(r.First - 1)
		next = r.Last + 1
	}
	upTo(q.last)
	return ids
}

// apply does a call, and tells whether its answer is that of the queue.
func (q queue) apply(o operation) (bool, queue) {
	switch o.Call {
	case add:
		for _, id := range o.IDs {
			if q.last++; id != q.last {
				return false, q
			}
		}
		return true, q
	case mark:
		q.read = q.read.Clone()
		marked := uint64(0)
		for r := range o.Batch.All() {
			if r.Last > q.last {
				return false, q
			}
			marked += q.read.Add(r)
		}
		return o.Unknown || marked == o.Marked, q
	case fetch:
		return slices.Equal(q.oldest(o.Limit), o.IDs), q
	case count:
		return q.unread() == o.Unread, q
	}
	return false, q
}

// count is the number of unread messages in the answer to a fetch or a mark. It is
// taken after what the call is about, so that it is like a call of its own.
const count call = "count"

var model = porcupine.Model{
	Init: func() any { return queue{} },
	Step: func(state, input, _ any) (bool, any) { return state.(queue).apply(input.(operation)) },
	Equal: func(a, b any) bool {
		p, q := a.(queue), b.(queue)
		return p.last == q.last && p.read.Count() == q.read.Count() && p.read.String() == q.read.String()
	},
	Hash: func(state any) uint64 {
		q := state.(queue)
		return uint64(q.last)<<32 ^ q.read.Count()
	},
	DescribeOperation: func(input, _ any) string {
		o := input.(operation)
		switch o.Call {
		case add:
			return fmt.Sprintf("add %v", o.IDs)
		case mark:
			return fmt.Sprintf("mark %v: %d, %d unread, unknown %t", o.Batch, o.Marked, o.Unread, o.Unknown)
		case fetch:
			return fmt.Sprintf("fetch %d: %v", o.Limit, o.IDs)
		}
		return fmt.Sprintf("%s: %d", o.Call, o.Unread)
	},
	DescribeState: func(state any) string {
		q := state.(queue)
		return fmt.Sprintf("%d messages, read %v", q.last, q.read)
	},
}

// linearTime is how long a history may take to check.
const linearTime = 3 * time.Minute

// linear says what is wrong with the history of one group if there is no order of
// its calls, each at a moment between its beginning and its end, in which one queue
// would give these answers. What went wrong can be looked at in a file in dir.
func linear(all []operation, last stored, dir string, group host.GroupName) (wrong []string) {
	calls := linearizable(all, last)
	result, info := porcupine.CheckOperationsVerbose(model, calls, linearTime)
	if result == porcupine.Ok {
		return nil
	}
	if result == porcupine.Unknown {
		return []string{fmt.Sprintf("whether the history of %d calls is linearizable was not found out in %v", len(all), linearTime)}
	}
	path := filepath.Join(dir, string(group)+".html")
	if err := porcupine.VisualizePath(model, info, path); err != nil {
		path = err.Error()
	}
	but := ""
	for _, c := range []call{count, fetch} {
		calls = slices.DeleteFunc(calls, func(o porcupine.Operation) bool { return o.Input.(operation).Call == c })
		but += fmt.Sprintf("; without each %s: %s", c, porcupine.CheckOperationsTimeout(model, calls, linearTime))
	}
	return []string{"the history is not linearizable, see " + path + but}
}

// linearizable translates a history. A call without an answer has no end; but one
// that can't change anything any more has, since the search takes long for those
// that have none.
func linearizable(all []operation, last stored) (calls []porcupine.Operation) {
	ids := map[string]host.ID{}
	for id, value := range last.Values {
		ids[value] = id
	}
	open := func(o operation, end time.Duration) {
		calls = append(calls, porcupine.Operation{ClientId: o.Client, Input: o, Call: int64(o.Start), Return: int64(end)})
	}
	for _, o := range all {
		end := o.End
		if o.Unknown {
			end = math.MaxInt64
		}
		switch o.Call {
		case add:
			if o.Unknown {
				if o.IDs = idsOf(o.Values, ids); o.IDs == nil {
					continue // it was never done
				}
			}
			open(o, end)
		case mark:
			if o.Unknown {
				open(o, settled(o, all))
				continue
			}
			open(o, end)
			o.Call = count
			open(o, end)
		case fetch:
			if o.Unknown {
				continue
			}
			open(o, end)
			o.Call = count
			open(o, end)
		}
	}
	return calls
}

// idsOf returns the ids under which values are stored, or nil.
func idsOf(values []string, ids map[string]host.ID) (found []host.ID) {
	for _, value := range values {
		id, ok := ids[value]
		if !ok {
			return nil
		}
		found = append(found, id)
	}
	return found
}

// settled returns when all messages of a mark without an answer were certainly read,
// so that it can't change anything later.
func settled(o operation, all []operation) time.Duration {
	read := span{}
	for _, other := range all {
		if other.Call == mark && !other.Unknown {
			for id := range other.Batch.IDs() {
				read.earliest(id, other.End)
			}
		}
	}
	end := o.Start
	for id := range o.Batch.IDs() {
		at, ok := read[id]
		if !ok {
			return math.MaxInt64
		}
		end = max(end, at)
	}
	return end
}

// verify checks the history of every group.
func verify(t *testing.T, all []operation, ends map[host.GroupName]map[string]stored) {
	t.Helper()
	for g, one := range byGroup(all) {
		daemons := ends[g]
		for _, fault := range check(one, daemons) {
			t.Errorf("%s: %s", g, fault)
		}
		for _, fault := range linear(one, daemons[daemonsOf(daemons)[0]], t.ArtifactDir(), g) {
			t.Errorf("%s: %s", g, fault)
		}
	}
}
