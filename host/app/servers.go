package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/cluster"
	"github.com/restante/restante/host/natsstore"
)

// servers are those that keep a store which daemons share.
type servers struct {
	store *natsstore.Store
	node  *cluster.Node // nil if the servers are not the daemons' own
}

// statusTime is how long the servers are given to say how they are.
const statusTime = 10 * time.Second

// Status asks the servers how they are. Nodes answer also if most of them are down;
// then the streams are not waited for.
func (s *servers) Status(ctx context.Context) (host.ClusterStatus, error) {
	within, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	status, found, err := s.ask(within)
	if errors.Is(err, host.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		status.NoAnswer, err = true, nil
	}
	for _, f := range found {
		stream := host.ClusterStream{Name: f.Name, Group: f.Group, Leader: f.Leader, Missing: f.Missing}
		for _, r := range f.Replicas {
			// The leader of a stream notices later than the nodes that one is down.
			up := !r.Offline && !status.Down(r.Server)
			stream.Followers = append(stream.Followers, host.ClusterFollower{Node: r.Server, Up: up, Current: up && r.Current, Lag: r.Lag})
		}
		status.Streams = append(status.Streams, stream)
	}
	return status, err
}

// ask asks the nodes and the streams; if these don't answer, what the nodes say is
// there beside the error.
func (s *servers) ask(ctx context.Context) (status host.ClusterStatus, streams []natsstore.StreamStatus, err error) {
	status.Streams = []host.ClusterStream{}
	if s.node == nil {
		found, err := s.store.Status(ctx)
		status.Node, status.Advice = found.Connected, found.Advice
		status.Durability = string(cmp.Or(found.Durability, natsstore.Unknown))
		return status, found.Streams, err
	}
	// A node has sync always on, and says so to nobody but itself.
	status.Durability = string(natsstore.Always)
	nodes, err := s.node.Status(ctx)
	status.Node, status.Leader, status.Size = nodes.Node, nodes.Leader, nodes.Size
	if err != nil {
		return status, nil, err
	}
	up := 0
	for _, n := range nodes.Nodes {
		if n.Connected {
			up++
		}
		status.Nodes = append(status.Nodes, host.ClusterNode{Name: n.Name, Address: n.Address, Up: n.Connected, Lag: n.Lag, Stored: n.Stored})
	}
	if nodes.Size > 1 && (nodes.Leader == "" || 2*up <= nodes.Size) {
		status.Leader = "" // one that leads no more notices only after some seconds
		return status, nil, host.ErrUnavailable
	}
	streams, err = s.store.Streams(ctx)
	return status, streams, err
}

// Remove takes a node out that left for good.
func (s *servers) Remove(ctx context.Context, node string) error {
	if s.node == nil {
		return fmt.Errorf("remove node %s: %w", node, host.ErrNoCluster)
	}
	return s.node.Remove(ctx, node)
}
