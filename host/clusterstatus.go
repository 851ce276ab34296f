package host

import "errors"

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
	// Streams are what the store is kept in, each with a leader of its own.
	Streams []ClusterStream `json:"streams"`
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
}

// ClusterFollower has what the leader of a stream has, or lags behind.
type ClusterFollower struct {
	Node string `json:"node"`
	// Up and Current say that it is heard of, and could lead at once; Lag is by how
	// many operations it is behind.
	Up      bool   `json:"up"`
	Current bool   `json:"current"`
	Lag     uint64 `json:"lag"`
}

// Wrong says what somebody has to look at; empty if all is well.
func (s ClusterStatus) Wrong() (all []string) {
	for _, n := range s.Nodes {
		if !n.Up {
			all = append(all, "node "+n.Name+" is down")
		}
	}
	for _, stream := range s.Streams {
		if stream.Leader == "" && len(stream.Followers) > 0 {
			all = append(all, "stream "+stream.Name+" has no leader, and takes nothing")
		}
		for _, f := range stream.Followers {
			if f.Up && !f.Current {
				all = append(all, "node "+f.Node+" catches up with stream "+stream.Name)
			}
		}
	}
	if s.Advice != "" {
		all = append(all, s.Advice)
	}
	return all
}
