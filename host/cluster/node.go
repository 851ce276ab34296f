package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Node is a server that runs. It is safe for concurrent use.
type Node struct {
	config Config
	gate   *gate
	server *server.Server
	log    hclog.Logger
	stop   sync.Once
}

// startTime is how long a server may take to start, most of which is reading what
// it has stored.
const startTime = 5 * time.Minute

// Start starts a node and returns when it runs, be the others there or not. It
// fails if the settings can't be, another program has the port, the folder can't be
// written, or has what a node stored that was alone and now is not, or the reverse.
// When ctx ends first, it gives up.
func Start(ctx context.Context, c Config) (*Node, error) {
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Cluster == "" {
		c.Cluster = "restante"
	}
	c.Peers = slices.Clone(c.Peers)
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := c.prepareDir(); err != nil {
		return nil, fmt.Errorf("start node %s: %w", c.Name, err)
	}
	n := &Node{config: c, gate: newGate(), log: c.Log}
	options, err := c.options(n.gate)
	if err != nil {
		return nil, err
	}
	if n.server, err = server.NewServer(options); err != nil {
		return nil, fmt.Errorf("start node %s: %w", c.Name, err)
	}
	n.gate.server = n.server
	log := &logger{log: c.Log, seen: map[string]time.Time{}}
	n.server.SetLoggerV2(log, c.Log.IsTrace(), false, false)
	c.warn()
	n.server.Start()
	if err := n.started(ctx, log); err != nil {
		n.server.Shutdown()
		n.server.WaitForShutdown()
		return nil, fmt.Errorf("start node %s: %w", c.Name, err)
	}
	n.log.Info("node started", "node", c.Name, "cluster", c.Cluster, "listen", c.Listen, "peers", c.others())
	return n, nil
}

// started waits until the server runs or has said why it can't.
func (n *Node) started(ctx context.Context, log *logger) error {
	deadline := time.Now().Add(startTime)
	for {
		if err := log.failure(); errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("the address %s is in use by another program: stop that one, or set another listen: %w", n.config.Listen, err)
		} else if err != nil {
			return err
		}
		if n.server.ReadyForConnections(50 * time.Millisecond) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server does not run after %s", startTime)
		}
	}
}

// warn tells of settings that work, and are weak.
func (c *Config) warn() {
	switch nodes := c.Nodes(); {
	case nodes == 1:
		c.Log.Warn("the cluster is one node alone: one disk holds all, and nothing goes on without it", "node", c.Name)
	case nodes%2 == 0:
		c.Log.Warn("the cluster has an even number of nodes: one more or less stands the loss of as many", "nodes", nodes)
	}
	if !c.alone() && c.Secret == "" {
		c.Log.Warn("nodes talk without a secret: every program on this machine can join the cluster and read all")
	}
}

// prepareDir makes the folder and sees that it fits. What a node alone stores would
// be deleted as unknown when it joins others, so that is refused.
func (c *Config) prepareDir() error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the node: %w", err)
	}
	probe, err := os.CreateTemp(c.Dir, ".probe")
	if err != nil {
		return fmt.Errorf("the folder of the node can't be written: %w", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return err
	}
	has := func(parts ...string) bool {
		_, err := os.Stat(filepath.Join(append([]string{c.Dir, "jetstream"}, parts...)...))
		return err == nil
	}
	joined := has(server.DEFAULT_SYSTEM_ACCOUNT, "_js_", "_meta_")
	switch {
	case c.alone() && joined:
		return fmt.Errorf("the folder %s is that of a node with others, and there are no peers: name them again, or give the node alone a folder of its own", c.Dir)
	case !c.alone() && !joined && has(server.DEFAULT_GLOBAL_ACCOUNT, "streams"):
		return fmt.Errorf("the folder %s is that of a node alone, which can't join others with what it has: export all with it, start the nodes with new folders, and import there", c.Dir)
	}
	return nil
}

// URL is where the node is, as clients with Options name it.
func (n *Node) URL() string { return "nats://" + n.config.Name }

// Options make a connection to the node, within the process.
func (n *Node) Options() []nats.Option { return n.gate.through(n.gate.daemon) }

// Failure returns why the node can't do its work until it is started again, or nil:
// a server whose disk is full or broken stops storing, while the others go on.
func (n *Node) Failure() error {
	if n.server.Running() && !n.server.JetStreamEnabled() {
		return errors.New("the node has stopped storing, since its disk is full or can't be written: see the log, mend that and start the daemon again")
	}
	return nil
}

// Stop hands what the node leads to others and ends it, within a few seconds.
// Close what is connected to it first. Stopping again waits for the end.
func (n *Node) Stop() {
	n.stop.Do(func() {
		if !n.config.alone() {
			n.server.LameDuckShutdown()
		}
		n.server.Shutdown()
		n.log.Info("node stopped", "node", n.config.Name)
	})
	n.server.WaitForShutdown()
}
