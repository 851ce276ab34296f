package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/cluster"
	"github.com/restante/restante/host/loopback"
)

// clusterConfigs are those of three daemons on this machine.
func clusterConfigs(t *testing.T) (all []Config) {
	t.Helper()
	var peers []string
	for range 3 {
		address, err := loopback.FreeAddress()
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, address)
	}
	for i, address := range peers {
		all = append(all, Config{Data: filepath.Join(t.TempDir(), "data"), Store: StoreConfig{
			Kind: clusterKind, Replicas: 3,
			Cluster: &cluster.Config{Name: fmt.Sprintf("n%d", i+1), Listen: address, Peers: peers, Secret: "a secret of the nodes"},
		}})
	}
	return all
}

// TestClusterStore has three daemons that share a store, of which one stops.
func TestClusterStore(t *testing.T) {
	configs := clusterConfigs(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all, errs := make([]*parts, 3), make([]error, 3)
	var opening sync.WaitGroup
	for i, c := range configs {
		opening.Go(func() { all[i], errs[i] = openParts(ctx, c, hclog.NewNullLogger(), nil) })
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	stop := func(i int) {
		if err := all[i].close(ctx); err != nil {
			t.Error(err)
		}
	}
	defer stop(1)
	defer stop(0)
	if _, err := all[0].store.Append(ctx, host.Addition{Group: "g", Data: []json.RawMessage{json.RawMessage(`{"a":1}`)}}); err != nil {
		t.Fatal(err)
	}
	if n, err := all[1].store.Counts(ctx, "g"); err != nil || n.Unread != 1 {
		t.Errorf("Counts by another daemon = %+v, %v, want one unread", n, err)
	}
	status, err := all[1].servers.Status(ctx)
	if err != nil || status.Node != "n2" || len(status.Nodes) != 3 || len(status.Streams) < 2 || status.Durability != "always" || status.Leader == "" {
		t.Errorf("Status = %+v, %v", status, err)
	}
	if err := all[0].servers.Remove(ctx, "n3"); !errors.Is(err, cluster.ErrConnected) {
		t.Errorf("Remove of a node that runs = %v", err)
	}

	// What does not go while a daemon has the folder, and without one.
	if _, err := openParts(ctx, configs[0], hclog.NewNullLogger(), nil); modesWork && !errors.Is(err, host.ErrInUse) {
		t.Errorf("openParts of a folder in use = %v, want ErrInUse", err)
	}
	stop(2)
	_, _, err = Connect(ctx, configs[2].Data)
	if hint, ok := errors.AsType[*HintError](err); !ok || !strings.Contains(hint.Hint, "start the daemon first") {
		t.Errorf("Connect without a daemon = %v", err)
	}
	if _, err := all[0].store.Append(ctx, host.Addition{Group: "g", Data: []json.RawMessage{json.RawMessage(`{"a":2}`)}}); err != nil {
		t.Errorf("Append with two of three = %v", err)
	}
	if status, err = all[0].servers.Status(ctx); err != nil || !slices.Contains(status.Wrong(), "node n3 is down") {
		t.Errorf("Status without n3 = %q, %v", status.Wrong(), err)
	}
	if err := all[1].failure(); err != nil {
		t.Error(err)
	}
}

// TestNATSStore uses a server that is there, with the right password and a wrong one.
func TestNATSStore(t *testing.T) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
		Username: "restante", Password: "right", NoLog: true, NoSigs: true, JetStreamMaxStore: 1 << 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not run")
	}
	c := Config{Data: filepath.Join(t.TempDir(), "data"), Store: StoreConfig{
		Kind: natsKind, Replicas: 1, NATS: &NATSConfig{URLs: []string{s.ClientURL()}, User: "restante", Password: "wrong"},
	}}
	_, err = openParts(t.Context(), c, hclog.NewNullLogger(), nil)
	if _, ok := errors.AsType[*HintError](err); !ok || !strings.Contains(err.Error(), "credentials") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("openParts with a wrong password = %v", err)
	}
	c.Store.NATS.Password = "right"
	p, err := openParts(t.Context(), c, hclog.NewNullLogger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.store.Append(t.Context(), host.Addition{Group: "g", Data: []json.RawMessage{json.RawMessage("1")}}); err != nil {
		t.Error(err)
	}
	if status, err := p.servers.Status(t.Context()); err != nil || status.Durability == "always" || len(status.Wrong()) == 0 {
		t.Errorf("Status of servers that don't say how they sync = %+v, %v", status, err)
	}
	if err := p.servers.Remove(t.Context(), "n1"); !errors.Is(err, host.ErrNoCluster) {
		t.Errorf("Remove of another's node = %v", err)
	}
	if err := p.close(t.Context()); err != nil {
		t.Error(err)
	}
	if kind := storeOf(c.Data); kind != natsKind {
		t.Errorf("storeOf = %q", kind)
	}
}

// TestOpenCanBeStopped has a daemon that waits for others which never come.
func TestOpenCanBeStopped(t *testing.T) {
	c := clusterConfigs(t)[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openParts(ctx, c, hclog.NewNullLogger(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("openParts = %v, want context.Canceled", err)
	}
	unlock, err := lock(filepath.Join(c.Data, lockName))
	if err != nil {
		t.Fatalf("the folder is still locked: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// TestMessagesElsewhere changes the kind of a store that has messages.
func TestMessagesElsewhere(t *testing.T) {
	c := Config{Data: filepath.Join(t.TempDir(), "data")}
	var out bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &out})
	p, err := openParts(t.Context(), c, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.store.Append(t.Context(), host.Addition{Group: "g", Data: []json.RawMessage{json.RawMessage("1")}}); err != nil {
		t.Fatal(err)
	}
	if err := p.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("the log has %s", &out)
	}
	other := c
	other.Store = StoreConfig{Kind: clusterKind, Replicas: 1, Cluster: &cluster.Config{Name: "n1"}}
	if p, err = openParts(t.Context(), other, log, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), StoreName) || !strings.Contains(out.String(), "restante import") {
		t.Errorf("the log has %s, want the file and what to do", &out)
	}
	out.Reset()
	if p, err = openParts(t.Context(), c, log, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "were in another store") {
		t.Errorf("the log has %s", &out)
	}
}
