package app

import (
	"context"
	"fmt"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/cluster"
	"github.com/restante/restante/host/natsstore"
)

// servers are those that keep a store which daemons share.
type servers struct {
	store *natsstore.Store
	node  *cluster.Node // nil if the servers are not the daemons' own
}

// Status asks the servers how they are.
func (s *servers) Status(ctx context.Context) (host.ClusterStatus, error) {
	found, err := s.store.Status(ctx)
	if err != nil {
		return host.ClusterStatus{}, err
	}
	status := host.ClusterStatus{Node: found.Connected, Durability: string(found.Durability), Advice: found.Advice, Streams: []host.ClusterStream{}}
	for _, f := range found.Streams {
		stream := host.ClusterStream{Name: f.Name, Group: f.Group, Leader: f.Leader}
		for _, r := range f.Replicas {
			stream.Followers = append(stream.Followers, host.ClusterFollower{Node: r.Server, Up: !r.Offline, Current: r.Current, Lag: r.Lag})
		}
		status.Streams = append(status.Streams, stream)
	}
	if s.node == nil {
		return status, nil
	}
	// A node has sync always on, and says so to nobody but itself.
	status.Durability, status.Advice = string(natsstore.Always), ""
	nodes, err := s.node.Status(ctx)
	if err != nil {
		return host.ClusterStatus{}, err
	}
	status.Node, status.Leader = nodes.Node, nodes.Leader
	for _, n := range nodes.Nodes {
		status.Nodes = append(status.Nodes, host.ClusterNode{Name: n.Name, Address: n.Address, Up: n.Connected, Lag: n.Lag, Stored: n.Stored})
	}
	return status, nil
}

// Remove takes a node out that left for good.
func (s *servers) Remove(ctx context.Context, node string) error {
	if s.node == nil {
		return fmt.Errorf("remove node %s: %w", node, host.ErrNoCluster)
	}
	return s.node.Remove(ctx, node)
}
