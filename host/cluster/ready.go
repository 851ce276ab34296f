package cluster

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// readyEvery is how often Ready looks.
	readyEvery = 50 * time.Millisecond
	// readyLog is how often Ready says what it waits for.
	readyLog = 5 * time.Second
)

// Ready waits until the nodes have elected a leader, so that streams can be made:
// for that all nodes must be there when a cluster starts for the first time, and
// later most of them. It says in the log what it waits for. It fails when ctx ends,
// with the nodes that are not connected, or when the node failed.
func (n *Node) Ready(ctx context.Context) error {
	if n.config.alone() {
		return n.Failure()
	}
	look := time.NewTicker(readyEvery)
	defer look.Stop()
	say := time.NewTicker(readyLog)
	defer say.Stop()
	for !n.hasLeader() {
		if err := n.Failure(); err != nil {
			return err
		}
		select {
		case <-look.C:
		case <-say.C:
			missing, connected := n.missing(ctx)
			if len(missing) == 0 {
				n.log.Info("all nodes are connected and elect a leader", "connected", connected)
				continue
			}
			n.log.Warn("waiting for the other nodes: all at the first start, most of them later", "missing", missing, "connected", connected, "nodes", n.config.Nodes())
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
			defer cancel()
			missing, _ := n.missing(last)
			return fmt.Errorf("the cluster has no leader: all of its %d nodes must run and reach each other at the first start, and most of them later; not connected: %s: %w",
				n.config.Nodes(), strings.Join(missing, ", "), ctx.Err())
		}
	}
	n.log.Info("the cluster has a leader", "leader", n.leader())
	return nil
}

func (n *Node) hasLeader() bool { return n.leader() != "" && n.server.JetStreamIsCurrent() }

// leader is the name of the node that leads the metadata; empty if none does.
func (n *Node) leader() string {
	info, err := n.server.Jsz(&server.JSzOptions{})
	if err != nil || info.Meta == nil {
		return ""
	}
	return info.Meta.Leader
}

// missing returns which peers are not connected, and the names of the nodes that are.
func (n *Node) missing(ctx context.Context) (missing, connected []string) {
	routes := n.routes()
	for name := range routes {
		connected = append(connected, name)
	}
	answers, _ := n.ask(ctx) // without an answer, the node counts as missing
	for _, peer := range n.config.others() {
		if !connectedTo(ctx, peer, routes, answers) {
			missing = append(missing, peer)
		}
	}
	return missing, connected
}

// connectedTo finds a peer among the nodes that are connected. Either side may have made
// the connection, and a machine may have several addresses: so the peer is the node that
// listens at its port, and at its address or, if it listens at all of its addresses, that
// talks from there.
func connectedTo(ctx context.Context, peer string, routes map[string]string, answers []*server.Varz) bool {
	host, port, err := parseAddress(peer)
	if err != nil {
		return false
	}
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return false
	}
	for _, v := range answers {
		ip, is := routes[v.Name]
		if !is || v.Cluster.Port != port {
			continue
		}
		for _, h := range hosts {
			if at := net.ParseIP(h); at.Equal(net.ParseIP(v.Cluster.Host)) || at.Equal(net.ParseIP(ip)) {
				return true
			}
		}
	}
	return false
}

// routes are the addresses of the nodes that are connected, by their names.
func (n *Node) routes() map[string]string {
	all := map[string]string{}
	if found, err := n.server.Routez(nil); err == nil {
		for _, r := range found.Routes {
			if r.RemoteName != "" {
				all[r.RemoteName] = r.IP
			}
		}
	}
	return all
}
