package host_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/restante/restante/host"
)

func TestClusterWrong(t *testing.T) {
	up := func(names ...string) (all []host.ClusterNode) {
		for _, n := range []string{"a", "b", "c"} {
			all = append(all, host.ClusterNode{Name: n, Up: slices.Contains(names, n)})
		}
		return all
	}
	stream := func(name, leader string, followers ...host.ClusterFollower) host.ClusterStream {
		return host.ClusterStream{Name: name, Leader: leader, Followers: followers}
	}
	well := host.ClusterFollower{Node: "b", Up: true, Current: true}
	down, behind := host.ClusterFollower{Node: "c"}, host.ClusterFollower{Node: "c", Up: true, Lag: 700}
	var many []host.ClusterStream
	for i := range 5 {
		many = append(many, stream(fmt.Sprintf("s%d", i), "", well, behind))
	}
	for name, test := range map[string]struct {
		status host.ClusterStatus
		stuck  bool
		want   []string
	}{
		"well":         {host.ClusterStatus{Size: 3, Leader: "a", Nodes: up("a", "b", "c"), Streams: []host.ClusterStream{stream("s", "a", well)}}, false, nil},
		"a node alone": {host.ClusterStatus{Size: 1, Nodes: up("a", "b", "c")[:1], Streams: []host.ClusterStream{stream("s", "")}}, false, nil},
		"one down, which streams see too": {
			host.ClusterStatus{Size: 3, Leader: "a", Nodes: up("a", "b"), Streams: []host.ClusterStream{stream("s", "a", well, down)}}, false, []string{"node c is down"},
		},
		"most down, and the leader has not noticed": {
			host.ClusterStatus{Size: 3, Leader: "a", Nodes: up("a")}, true,
			[]string{"most nodes are not reachable, only 1 of 3: until most are, nothing is added, fetched or marked", "node b is down", "node c is down"},
		},
		"no leader": {
			host.ClusterStatus{Size: 3, Nodes: up("a", "b", "c"), NoAnswer: true}, true, []string{"no node leads: until one does, streams can't be made or looked at"},
		},
		"a server of others down": {
			host.ClusterStatus{Streams: []host.ClusterStream{stream("s", "a", well, down), stream("t", "a", down)}, Advice: "sync"}, false, []string{"node c is down", "sync"},
		},
		"servers of others that give no answer": {
			host.ClusterStatus{NoAnswer: true}, true, []string{"it is not known how the streams are: the servers give no answer"},
		},
		"a stream that nobody answers for": {
			host.ClusterStatus{Size: 3, Leader: "a", Nodes: up("a", "b", "c"), Streams: []host.ClusterStream{stream("s", "")}}, true,
			[]string{"stream s has no leader, and takes nothing"},
		},
		"one stream behind": {
			host.ClusterStatus{Size: 3, Leader: "a", Nodes: up("a", "b", "c"), Streams: []host.ClusterStream{stream("s", "a", behind)}}, false,
			[]string{"node c catches up with stream s"},
		},
		"a copy missing": {
			host.ClusterStatus{Size: 2, Leader: "a", Nodes: up("a", "b")[:2], Streams: []host.ClusterStream{{Name: "s", Leader: "a", Followers: []host.ClusterFollower{well}, Missing: 1}}}, false,
			[]string{"stream s has too few copies: another node is needed for them, or is about to get them"},
		},
		"many": {host.ClusterStatus{Size: 3, Leader: "a", Nodes: up("a", "b", "c"), Streams: many}, true, []string{
			"5 streams have no leader, and take nothing: s0, s1, s2 and 2 more", "node c catches up with 5 streams: s0, s1, s2 and 2 more",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.status.Wrong(); !slices.Equal(got, test.want) || test.status.Stuck() != test.stuck {
				t.Errorf("Wrong() = %q and Stuck() = %v, want %q and %v", got, test.status.Stuck(), test.want, test.stuck)
			}
		})
	}
}
