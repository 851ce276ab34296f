package host

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrNoCluster: the store is a file of this daemon alone, or servers that others look
// after.
var ErrNoCluster = errors.New("the daemons of this store are no cluster of their own")

// ClusterStatus says how the servers are that keep a store which daemons share.
type ClusterStatus struct {
	// Node is the server that this daemon works with: its own, or the one that it is
	// connected to.
	Node string `json:"node"`
	// Leader is the node that decides where streams are; empty if there is none, or
	// if the servers are not the daemons' own.
	Leader string        `json:"leader,omitempty"`
	Nodes  []ClusterNode `json:"nodes,omitempty"`
	// Size is how many nodes there are when most of them have to agree; 0 if the
	// servers are not the daemons' own.
	Size int `json:"size,omitempty"`
	// Streams are what the store is kept in, each with a leader of its own.
	Streams []ClusterStream `json:"streams"`
	// NoAnswer says that nobody answered how the streams are, so that none is listed.
	NoAnswer bool `json:"no_answer,omitempty"`
	// Durability is "always" if every server has on disk what it confirms, "interval"
	// if one does not, and "unknown" if they don't say. Advice says what to do about
	// it, if anything.
	Durability string `json:"durability"`
	Advice     string `json:"advice,omitempty"`
}

// ClusterNode is a daemon of a cluster, as one of them sees it.
type ClusterNode struct {
	Name string `json:"name"`
	// Address is where other nodes reach it; empty if that is not known.
	Address string `json:"address,omitempty"`
	Up      bool   `json:"up"`
	// Lag is how many changes of the cluster it is behind.
	Lag uint64 `json:"lag"`
	// Stored is how many bytes it has.
	Stored uint64 `json:"stored"`
}

// ClusterStream is a part of a store.
type ClusterStream struct {
	Name string `json:"name"`
	// Group is whose messages are in it; empty for all else.
	Group GroupName `json:"group,omitempty"`
	// Leader is empty while there is none: then nothing can be written to it.
	Leader    string            `json:"leader"`
	Followers []ClusterFollower `json:"followers,omitempty"`
	// Missing is how many followers it has too few, as there is no node for them or
	// it has not got its copy yet.
	Missing int `json:"missing,omitempty"`
}

// ClusterFollower has what the leader of a stream has, or lags behind.
type ClusterFollower struct {
	Node string `json:"node"`
	// Up and Current say that it is heard of, and has all; Lag is by how many operations
	// it is behind.
	Up      bool   `json:"up"`
	Current bool   `json:"current"`
	Lag     uint64 `json:"lag"`
}

// inFlight is by how many operations a follower may be behind that keeps up: under load
// some are always on their way.
const inFlight = 100

// Behind tells whether it has to catch up.
func (f ClusterFollower) Behind() bool { return f.Up && !f.Current && (f.Lag == 0 || f.Lag > inFlight) }

// Down tells whether a node is known to be down.
func (s ClusterStatus) Down(node string) bool {
	return slices.ContainsFunc(s.Nodes, func(n ClusterNode) bool { return n.Name == node && !n.Up })
}

// Led tells whether streams have leaders at all: those of a server alone have none.
func (s ClusterStatus) Led() bool {
	return s.Size > 1 || slices.ContainsFunc(s.Streams, func(t ClusterStream) bool { return t.Leader != "" || len(t.Followers) > 0 })
}

// Stuck tells whether nothing can be written, or not to every stream.
func (s ClusterStatus) Stuck() bool {
	return s.NoAnswer || s.Size > 1 && (s.Leader == "" || 2*s.up() <= s.Size) || len(s.leaderless()) > 0
}

func (s ClusterStatus) up() (n int) {
	for _, node := range s.Nodes {
		if node.Up {
			n++
		}
	}
	return n
}

func (s ClusterStatus) leaderless() (names []string) {
	for _, stream := range s.Streams {
		if stream.Leader == "" && s.Led() {
			names = append(names, stream.Name)
		}
	}
	return names
}

// Trouble says what stands still or is down, the gravest first.
func (s ClusterStatus) Trouble() (all []string) {
	switch up := s.up(); {
	case s.Size > 1 && 2*up <= s.Size:
		all = append(all, fmt.Sprintf("most nodes are not reachable, only %d of %d: until most are, nothing is added, fetched or marked", up, s.Size))
	case s.Size > 1 && s.Leader == "":
		all = append(all, "no node leads: until one does, streams can't be made or looked at")
	case s.NoAnswer:
		all = append(all, "it is not known how the streams are: the servers give no answer")
	}
	var down []string
	for _, n := range s.Nodes {
		if !n.Up {
			down = append(down, n.Name)
		}
	}
	for _, stream := range s.Streams {
		for _, f := range stream.Followers {
			if !f.Up {
				down = append(down, f.Node)
			}
		}
	}
	slices.Sort(down)
	for _, name := range slices.Compact(down) {
		all = append(all, "node "+name+" is down")
	}
	return append(all, streams(s.leaderless(), "has no leader, and takes nothing", "have no leader, and take nothing")...)
}

// Wrong says what somebody has to look at, the gravest first; empty if all is well.
func (s ClusterStatus) Wrong() (all []string) {
	all = s.Trouble()
	behind := map[string][]string{} // streams by node
	for _, stream := range s.Streams {
		for _, f := range stream.Followers {
			if f.Behind() {
				behind[f.Node] = append(behind[f.Node], stream.Name)
			}
		}
	}
	for _, node := range slices.Sorted(maps.Keys(behind)) {
		if names := behind[node]; len(names) == 1 {
			all = append(all, "node "+node+" catches up with stream "+names[0])
		} else {
			all = append(all, fmt.Sprintf("node %s catches up with %d streams: %s", node, len(names), some(names)))
		}
	}
	var missing []string
	for _, stream := range s.Streams {
		if stream.Missing > 0 {
			missing = append(missing, stream.Name)
		}
	}
	const copies = "too few copies: another node is needed for them, or is about to get them"
	all = append(all, streams(missing, "has "+copies, "have "+copies)...)
	if s.Advice != "" {
		all = append(all, s.Advice)
	}
	return all
}

// streams says something of one stream, or of many; nothing of none.
func streams(names []string, one, many string) []string {
	switch len(names) {
	case 0:
		return nil
	case 1:
		return []string{"stream " + names[0] + " " + one}
	}
	return []string{fmt.Sprintf("%d streams %s: %s", len(names), many, some(names))}
}

// some names a few of many.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
