package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/cluster"
	"github.com/restante/restante/host/natsstore"
)

// Names in the data folder.
const (
	// StoreName is the file of the store, unless it is one that daemons share.
	StoreName = "restante.db"
	// kindName is a file that says of which kind the store is, if daemons share it.
	kindName = "store"
	// lockName is a file that the daemon of a data folder has locked, where the
	// store itself does not keep others out.
	lockName = "lock"
	// nodeName is the folder of a node.
	nodeName = "cluster"
)

// store is what the parts need of one.
type store interface {
	host.Store
	host.Copying
	// Check looks at everything, also at what only whoever has the store alone can
	// look at, and CheckData at what is stored.
	Check() error
	CheckData() error
}

// opened is a store with what runs below it.
type opened struct {
	store store
	// failure returns why nothing can be stored until the daemon is started again,
	// or nil.
	failure func() error
	// servers keep the store if it is shared; else nil.
	servers *servers
	// closers end the store and what is below it, the last one first.
	closers []func() error
}

func (o *opened) close() (err error) {
	for len(o.closers) > 0 {
		last := len(o.closers) - 1
		err = errors.Join(err, o.closers[last]())
		o.closers = o.closers[:last]
	}
	return err
}

// openStore opens the store that is configured. Of a shared one it waits for the
// servers until ctx ends, and says so in the log.
func openStore(ctx context.Context, c Config, log hclog.Logger) (_ *opened, err error) {
	warnLeft(ctx, c, log)
	o := &opened{failure: func() error { return nil }}
	if !c.Store.shared() {
		s, err := boltstore.Open(boltstore.Config{Path: filepath.Join(c.Data, StoreName)})
		if err != nil {
			return nil, err
		}
		o.store, o.failure, o.closers = s, s.Failure, append(o.closers, s.Close)
		return o, writeKind(c)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	unlock, err := lock(filepath.Join(c.Data, lockName))
	if err != nil {
		return nil, err
	}
	o.closers = append(o.closers, unlock)
	if err := writeKind(c); err != nil {
		return nil, err
	}
	o.servers = &servers{}
	to := natsstore.Config{Replicas: c.Store.Replicas, Log: log.Named("store")}
	if n := c.Store.NATS; n != nil {
		to.URLs, to.Prefix = n.URLs, n.Prefix
		if to.Options, err = n.options(); err != nil {
			return nil, err
		}
	} else {
		node, err := startNode(ctx, c, log.Named("cluster"))
		if err != nil {
			return nil, err
		}
		o.failure, o.servers.node = node.Failure, node
		o.closers = append(o.closers, func() error { node.Stop(); return nil })
		if err := node.Ready(ctx); err != nil {
			return nil, err
		}
		to.URLs, to.Options = []string{node.URL()}, node.Options()
	}
	s, err := natsstore.Open(ctx, to)
	if err != nil {
		return nil, &HintError{Err: err, Hint: "see the block store in the configuration, and the log of the servers"}
	}
	o.store, o.closers = s, append(o.closers, s.Close)
	o.servers.store = s
	if status, err := o.servers.Status(ctx); err == nil && status.Advice != "" {
		log.Warn("the NATS servers may lose what they have confirmed", "durability", status.Durability, "advice", status.Advice)
	}
	return o, nil
}

// startNode starts the node, whose files are in the data folder.
func startNode(ctx context.Context, c Config, log hclog.Logger) (*cluster.Node, error) {
	n := *c.Store.Cluster
	n.Dir, n.Log = filepath.Join(c.Data, nodeName), log
	node, err := cluster.Start(ctx, n)
	if err != nil {
		return nil, &HintError{Err: err, Hint: "see the block store \"cluster\" in the configuration"}
	}
	return node, nil
}

// storeOf returns of which kind the store of a data folder is.
func storeOf(data string) string {
	text, err := os.ReadFile(filepath.Join(data, kindName))
	if err != nil {
		return boltKind
	}
	return strings.TrimSpace(string(text))
}

// writeKind notes of which kind the store is, for commands that are called while no
// daemon runs.
func writeKind(c Config) error {
	path := filepath.Join(c.Data, kindName)
	if !c.Store.shared() {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("note the kind of the store: %w", err)
		}
		return nil
	}
	if err := os.WriteFile(path, []byte(c.Store.Kind+"\n"), 0o600); err != nil {
		return fmt.Errorf("note the kind of the store: %w", err)
	}
	return nil
}

// openable refuses a data folder whose store only a daemon opens.
func openable(data string) error {
	if kind := storeOf(data); kind != boltKind {
		return &HintError{
			Err:  fmt.Errorf("no daemon runs on the data folder %s, and its store is of the kind %q, which daemons share", data, kind),
			Hint: "start the daemon first, with its configuration: restante serve --config FILE; if it runs already, it waits for other servers, as its log says",
		}
	}
	return nil
}

// warnLeft warns if another store than the configured one has messages, which the
// daemon does not see.
func warnLeft(ctx context.Context, c Config, log hclog.Logger) {
	const advice = "to take them over, run \"restante export\" with the old configuration, and \"restante import\" with the new one"
	before := storeOf(c.Data)
	if !c.Store.shared() {
		if before != boltKind {
			log.Warn("the messages of this data folder were in another store, and stay there", "store", before, "advice", advice)
		}
		return
	}
	path := filepath.Join(c.Data, StoreName)
	if _, err := os.Stat(path); err != nil {
		return
	}
	s, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		log.Warn("the data folder has a store of its own, which can't be opened and is not used", "file", path, "error", err)
		return
	}
	found, err := s.Inventory(ctx)
	if err = errors.Join(err, s.Close()); err != nil {
		log.Warn("the data folder has a store of its own, which can't be read and is not used", "file", path, "error", err)
	} else if len(found.Groups) > 0 {
		log.Warn("the data folder has a store with messages, which is not used", "file", path, "groups", len(found.Groups), "advice", advice)
	}
}
