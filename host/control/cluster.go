package control

import (
	"context"
	"net/http"
	"net/url"

	"github.com/restante/restante/host"
)

// Cluster is what the commands need of the servers that daemons share.
type Cluster interface {
	Status(ctx context.Context) (host.ClusterStatus, error)
	Remove(ctx context.Context, node string) error
}

func (s *Server) cluster(r *http.Request) (any, error) {
	if s.Cluster == nil {
		return nil, host.ErrNoCluster
	}
	return reply(s.Cluster.Status(r.Context()))
}

func (s *Server) removeNode(r *http.Request) (any, error) {
	if s.Cluster == nil {
		return nil, host.ErrNoCluster
	}
	return struct{}{}, s.Cluster.Remove(r.Context(), r.PathValue("node"))
}

// Cluster says how the servers are that daemons share. It fails if the store is a file.
func (c *Client) Cluster(ctx context.Context) (reply host.ClusterStatus, err error) {
	err = c.call(ctx, "GET", "/cluster", nil, nil, &reply)
	return reply, err
}

// RemoveNode takes a node out that left for good.
func (c *Client) RemoveNode(ctx context.Context, node string) error {
	return c.call(ctx, "POST", "/cluster/nodes/"+url.PathEscape(node)+"/remove", nil, nil, nil)
}
