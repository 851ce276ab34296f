package clustertest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// example is a short history without a fault: 1 to 3 are added, 1 and 2 are fetched
// and marked twice, as the first time without an answer, and 4 may have been added.
func example() []operation {
	during := func(start, end time.Duration, change func(o *operation)) operation {
		o := operation{Group: "g", Start: start, End: end}
		change(&o)
		return o
	}
	return []operation{
		during(10, 20, func(o *operation) { o.Call, o.Values, o.IDs = add, []string{"a", "b"}, []host.ID{1, 2} }),
		during(30, 40, func(o *operation) { o.Call, o.Values, o.IDs = add, []string{"c"}, []host.ID{3} }),
		during(50, 60, func(o *operation) {
			o.Call, o.Limit, o.Values, o.IDs, o.Unread = fetch, 2, []string{"a", "b"}, []host.ID{1, 2}, 3
		}),
		during(65, 0, func(o *operation) { o.Call, o.Values, o.Unknown = add, []string{"d"}, true }),
		during(70, 0, func(o *operation) { o.Call, o.Batch, o.Unknown = mark, host.NewRanges(1, 2), true }),
		during(80, 90, func(o *operation) { o.Call, o.Batch, o.Marked, o.Unread = mark, host.NewRanges(1, 2), 0, 2 }),
		during(100, 110, func(o *operation) {
			o.Call, o.Limit, o.Values, o.IDs, o.Unread = fetch, 2, []string{"c", "d"}, []host.ID{3, 4}, 2
		}),
		during(120, 130, func(o *operation) { o.Call, o.Batch, o.Marked, o.Unread = mark, host.NewRanges(3, 4), 2, 0 }),
	}
}

func exampleEnd() map[string]stored {
	end := func() stored {
		return stored{Values: map[host.ID]string{1: "a", 2: "b", 3: "c", 4: "d"}, Read: host.NewRanges(1, 2, 3, 4)}
	}
	return map[string]stored{"a": end(), "b": end()}
}

// TestCheckers shows that wrong histories are found, each of which differs from a
// good one in one thing.
func TestCheckers(t *testing.T) {
	end := func(change func(s *stored)) func([]operation, map[string]stored) {
		return func(_ []operation, daemons map[string]stored) {
			for name, s := range daemons {
				change(&s)
				daemons[name] = s
			}
		}
	}
	tests := []struct {
		name   string
		change func(all []operation, daemons map[string]stored)
		// check and linear are parts of what has to be said; empty if nothing has to be.
		check, linear string
	}{
		{"good", func([]operation, map[string]stored) {}, "", ""},
		{"lost", end(func(s *stored) { delete(s.Values, 2); s.Read = host.NewRanges(1, 3, 4) }), `lost: message 2 was answered for b, and is ""`, ""},
		{"other data", end(func(s *stored) { s.Values[2] = "x" }), `lost: message 2 was answered for b, and is "x"`, ""},
		{"stored twice", end(func(s *stored) { s.Values[5] = "a"; s.Unread++ }), "a is stored twice", ""},
		{"from nowhere", end(func(s *stored) { s.Values[5] = "x"; s.Unread++ }), "message 5 is x, which nobody added", ""},
		{"in part", func(all []operation, _ map[string]stored) { all[3].Values = []string{"d", "e"} }, "only a part of one addition", "not linearizable"},
		{"order", func(all []operation, _ map[string]stored) {
			all[0].IDs, all[0].Values = []host.ID{2, 3}, []string{"b", "c"}
			all[1].IDs, all[1].Values = []host.ID{1}, []string{"a"}
		}, "order: message 3 was answered before the call began that added 1", "not linearizable"},
		{"gap", func(all []operation, _ map[string]stored) { all[1].IDs[0] = 5 }, "lost: message 5", "not linearizable"},
		{"marked twice", func(all []operation, _ map[string]stored) {
			all[4].Unknown, all[4].End, all[4].Marked, all[4].Unread = false, 75, 2, 2
			all[5].Marked = 2
		}, "marked twice", "not linearizable"},
		{"marked twice, once unknown", func(all []operation, _ map[string]stored) { all[7].Marked = 3 }, "", "not linearizable"},
		{"mark undone", end(func(s *stored) { s.Read = host.NewRanges(1, 2, 3); s.Unread = 1 }), "the mark of message 4 was answered, and it is not read", ""},
		{"marked by nobody", func(all []operation, _ map[string]stored) {
			all[7].Batch, all[7].Marked, all[7].Unread = host.NewRanges(3), 1, 1
		}, "message 4 is read, and nobody marked it", ""},
		{"never counted", func(all []operation, _ map[string]stored) {
			all[7].Marked, all[4].Unknown, all[4].End, all[4].Marked, all[4].Unread = 1, false, 75, 2, 2
		}, "marked twice or never", "not linearizable"},
		{"fetched after its mark", func(all []operation, _ map[string]stored) {
			all[6].IDs, all[6].Values = []host.ID{2, 3}, []string{"b", "c"}
		}, "message 2 was fetched 10ns after its mark was answered", "not linearizable"},
		{"not the oldest", func(all []operation, _ map[string]stored) {
			all[2].IDs, all[2].Values = []host.ID{1, 3}, []string{"a", "c"}
		}, "leaves out message 2", "not linearizable"},
		{"cut short", func(all []operation, _ map[string]stored) {
			all[2].IDs, all[2].Values = []host.ID{1}, []string{"a"}
		}, "leaves out message 2", "not linearizable"},
		{"swapped", func(all []operation, _ map[string]stored) { slices.Reverse(all[2].IDs); slices.Reverse(all[2].Values) }, "a fetch has message 1 after 2", "not linearizable"},
		{"other data fetched", func(all []operation, _ map[string]stored) { all[2].Values[0] = "x" }, `a fetch has x as message 1, which is "a"`, ""},
		{"count of a fetch", func(all []operation, _ map[string]stored) { all[2].Unread = 2 }, "", "not linearizable"},
		{"count of a mark", func(all []operation, _ map[string]stored) { all[7].Unread = 1 }, "", "not linearizable"},
		{"count in the end", end(func(s *stored) { s.Unread = 1 }), "a counts 1 unread messages, and lists 0", ""},
		{"daemons differ", func(_ []operation, daemons map[string]stored) {
			daemons["b"] = stored{Values: maps.Clone(daemons["b"].Values), Read: host.NewRanges(1, 2, 3), Unread: 1}
		}, "b has 4 messages, of which 1-3 are read, and a has 4 and 1-4", ""},
		{"daemons have other data", func(_ []operation, daemons map[string]stored) { daemons["b"].Values[1] = "x" }, "message 1 is x on b and a on a", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			all, daemons := example(), exampleEnd()
			test.change(all, daemons)
			found(t, "check", check(all, daemons), test.check)
			found(t, "linear", linear(all, daemons["a"], t.TempDir(), "g"), test.linear)
		})
	}
}

// found checks that a fault is found, or none if want is empty. A history with a
// fault may have others because of it.
func found(t *testing.T, who string, got []string, want string) {
	t.Helper()
	if want == "" && t.Name() == "TestCheckers/good" && len(got) > 0 {
		t.Errorf("%s finds faults in a good history: %q", who, got)
	}
	if want != "" && !strings.Contains(strings.Join(got, "\n"), want) {
		t.Errorf("%s says %q, want %q", who, got, want)
	}
}

func TestStall(t *testing.T) {
	all := example()
	if got := stall(all, 15, 100); got != 60 {
		t.Errorf("stall = %d, want 60: from 40 to the end", got)
	}
	if got := stall(all, 0, 45); got != 20 {
		t.Errorf("stall = %d, want 20: from the start, and from 20 to 40", got)
	}
}
