package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Status is the cluster as one node sees it.
type Status struct {
	// Node is the one that was asked.
	Node string
	// Leader is the node that leads the metadata; empty if none does, and then no
	// stream can be made. A node alone has none.
	Leader string
	// Size is how many nodes there are when most of them have to agree, reachable or
	// not.
	Size  int
	Nodes []NodeStatus
}

// NodeStatus is one node of the cluster.
type NodeStatus struct {
	Name string
	// Address is where it listens for the others; empty if it is not known, as of a
	// node that is not connected.
	Address string
	// Connected says whether the node that was asked is connected to it, or is it.
	Connected bool
	Leader    bool
	// Offline and Lag are what the leader says: that it has not heard of the node
	// lately, and how many changes of the metadata it is behind.
	Offline bool
	Lag     uint64
	// Stored is how many bytes its streams have.
	Stored uint64
}

// askTime is how long nodes are given to answer.
const askTime = time.Second

// Status asks the nodes how they are, for a second at most. It works without a
// leader too, and then knows only of nodes that are connected.
func (n *Node) Status(ctx context.Context) (Status, error) {
	s := Status{Node: n.config.Name, Leader: n.leader(), Size: 1}
	answers, err := n.ask(ctx)
	if err != nil {
		return s, err
	}
	connected := n.routes()
	var replicas []*server.PeerInfo
	for _, v := range answers {
		one := NodeStatus{Name: v.Name, Leader: v.Name == s.Leader}
		_, one.Connected = connected[v.Name]
		one.Connected = one.Connected || v.Name == s.Node
		if v.Cluster.Port != 0 {
			one.Address = net.JoinHostPort(v.Cluster.Host, strconv.Itoa(v.Cluster.Port))
		}
		if stats := v.JetStream.Stats; stats != nil {
			one.Stored = stats.Store
		}
		if meta := v.JetStream.Meta; meta != nil && (one.Leader || replicas == nil) {
			replicas, s.Size = meta.Replicas, meta.Size
		}
		s.Nodes = append(s.Nodes, one)
	}
	for _, r := range replicas {
		i := slices.IndexFunc(s.Nodes, func(one NodeStatus) bool { return one.Name == r.Name })
		if i < 0 {
			_, is := connected[r.Name]
			s.Nodes = append(s.Nodes, NodeStatus{Name: r.Name, Connected: is, Offline: r.Offline, Lag: r.Lag})
			continue
		}
		s.Nodes[i].Offline, s.Nodes[i].Lag = r.Offline, r.Lag
	}
	slices.SortFunc(s.Nodes, func(a, b NodeStatus) int { return cmp.Compare(a.Name, b.Name) })
	return s, nil
}

// ask asks all nodes that are connected how they are.
func (n *Node) ask(ctx context.Context) (all []*server.Varz, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err = n.asSystem(func(c *nats.Conn) error {
		inbox := c.NewInbox()
		sub, err := c.SubscribeSync(inbox)
		if err != nil {
			return err
		}
		if err := c.PublishRequest("$SYS.REQ.SERVER.PING.VARZ", inbox, nil); err != nil {
			return err
		}
		for expected := len(n.routes()) + 1; len(all) < expected; {
			m, err := sub.NextMsgWithContext(ctx)
			if err != nil && len(all) > 0 {
				return nil // those that answered
			}
			if err != nil {
				return fmt.Errorf("ask the nodes: %w", err)
			}
			var answer struct {
				Data *server.Varz `json:"data"`
			}
			if err := json.Unmarshal(m.Data, &answer); err != nil {
				return fmt.Errorf("ask the nodes: %w", err)
			}
			if answer.Data != nil {
				all = append(all, answer.Data)
			}
		}
		return nil
	})
	return all, err
}

// asSystem calls do with a connection to the system account.
func (n *Node) asSystem(do func(*nats.Conn) error) error {
	c, err := nats.Connect(n.URL(), append(n.gate.through(n.gate.system), nats.Name("node"), nats.NoReconnect())...)
	if err != nil {
		return fmt.Errorf("connect to the node: %w", err)
	}
	defer c.Close()
	return do(c)
}

// removeTime is how long removing a node is tried.
const removeTime = 30 * time.Second

// ErrUnknownNode: the cluster has no node of that name.
var ErrUnknownNode = errors.New("the cluster has no such node")

// ErrConnected: a node that runs is not removed, as it would join again.
var ErrConnected = errors.New("the node runs: stop it first")

// Remove takes a node out that left for good, so that it does not count any more
// when most of the nodes have to be there; what it had is copied to others, as far
// as there are enough. It asks again while no node leads, for half a minute unless ctx
// ends before. It fails with ErrUnknownNode or ErrConnected. The node can come back after
// a few minutes, with an empty folder.
func (n *Node) Remove(ctx context.Context, name string) error {
	if _, is := n.routes()[name]; is || name == n.config.Name {
		return fmt.Errorf("remove node %s: %w", name, ErrConnected)
	}
	body, err := json.Marshal(server.JSApiMetaServerRemoveRequest{Server: name})
	if err != nil {
		return err
	}
	return n.asSystem(func(c *nats.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, removeTime)
		defer cancel()
		var m *nats.Msg
		for { // nobody answers while there is no leader, also not when there is one again
			one, cancel := context.WithTimeout(ctx, askTime)
			m, err = c.RequestWithContext(one, server.JSApiRemoveServer, body)
			cancel()
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("remove node %s: the cluster gives no answer, perhaps it has no leader: %w", name, err)
			}
			if errors.Is(err, nats.ErrNoResponders) {
				time.Sleep(askTime / 10)
			}
		}
		var answer server.JSApiMetaServerRemoveResponse
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return fmt.Errorf("remove node %s: %w", name, err)
		}
		if answer.Error != nil && answer.Error.ErrCode == uint16(server.JSClusterServerNotMemberErr) {
			return fmt.Errorf("%w: %s", ErrUnknownNode, name)
		}
		if answer.Error != nil {
			return fmt.Errorf("remove node %s: %w", name, answer.Error)
		}
		return nil
	})
}
