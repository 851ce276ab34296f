package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/restante/restante/host/cluster"
)

func TestThreeNodes(t *testing.T) {
	all, _ := configs(t, 3)
	nodes := startAll(t, all)
	put := stream(t, nodes[0], 3)
	eventually(t, put)

	eventually(t, func() error {
		s, err := nodes[1].Status(t.Context())
		if err != nil {
			return err
		}
		leaders := 0
		for i, one := range s.Nodes {
			if one.Leader {
				leaders++
			}
			if one.Address != all[i].Listen || one.Name != all[i].Name || !one.Connected || one.Offline || one.Stored == 0 {
				return fmt.Errorf("node %d is %+v", i, one)
			}
		}
		if len(s.Nodes) != 3 || leaders != 1 || s.Node != "n2" {
			return fmt.Errorf("Status = %+v", s)
		}
		return nil
	})

	// Two of three go on, and the third comes back.
	nodes[2].Stop()
	eventually(t, put)
	s, err := nodes[0].Status(t.Context())
	if err != nil || len(s.Nodes) != 3 || s.Nodes[2].Name != "n3" || s.Nodes[2].Connected {
		t.Errorf("Status without n3 = %+v, %v", s, err)
	}
	back := start(t, all[2])
	ready(t, back)
	eventually(t, stream(t, back, 3))
}

// TestStopHandsOver stops the node that leads a stream while another one writes to
// it. What is on its way then is never answered, so an attempt waits only briefly.
func TestStopHandsOver(t *testing.T) {
	all, _ := configs(t, 3)
	nodes := startAll(t, all)
	eventually(t, stream(t, nodes[0], 3))
	found, err := connect(t, nodes[0]).Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	leader := slices.IndexFunc(all, func(c cluster.Config) bool { return c.Name == found.CachedInfo().Cluster.Leader })
	js := connect(t, nodes[(leader+1)%3])
	put := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := js.Publish(ctx, "s", []byte("x"), jetstream.WithRetryAttempts(0))
		return err
	}
	eventually(t, put)
	stopped := make(chan struct{})
	go func() { nodes[leader].Stop(); close(stopped) }()
	longest, last := time.Duration(0), time.Now()
	for done := false; !done; {
		select {
		case <-stopped:
			done = true
		default:
		}
		if put() == nil {
			longest, last = max(longest, time.Since(last)), time.Now()
		}
	}
	eventually(t, put)
	if longest = max(longest, time.Since(last)); longest > 3*time.Second {
		t.Errorf("a graceful stop stalled the others for %s", longest)
	}
	t.Logf("the longest stall was %s", longest)
	nodes[leader].Stop() // once more does nothing
}

func TestNotReadyAlone(t *testing.T) {
	all, _ := configs(t, 3)
	n := start(t, all[0])
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := n.Ready(ctx)
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), all[1].Listen+", "+all[2].Listen) {
		t.Errorf("Ready of one of three = %v, want the addresses of the others", err)
	}
}

// TestNotReadyWithoutOne has the first start of a cluster without one of its nodes,
// which is the only one that is missed.
func TestNotReadyWithoutOne(t *testing.T) {
	all, _ := configs(t, 3)
	n := start(t, all[0])
	start(t, all[1])
	eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := n.Ready(ctx)
		if err == nil || !strings.Contains(err.Error(), "not connected: "+all[2].Listen+":") {
			return fmt.Errorf("Ready of two of three = %v, want the address of the third alone", err)
		}
		return nil
	})
}

func TestOneNode(t *testing.T) {
	all, written := configs(t, 1)
	n := start(t, all[0])
	ready(t, n)
	eventually(t, stream(t, n, 1))
	logged(t, written[0], "one disk holds all")
	s, err := n.Status(t.Context())
	if err != nil || len(s.Nodes) != 1 || s.Nodes[0].Name != "n1" || !s.Nodes[0].Connected {
		t.Errorf("Status = %+v, %v", s, err)
	}
	n.Stop()

	c := all[0]
	c.Peers = []string{freeAddress(t), freeAddress(t)}
	if _, err := cluster.Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "export all") {
		t.Errorf("Start of a node that was alone = %v", err)
	}
}

func TestRemove(t *testing.T) {
	all, _ := configs(t, 3)
	nodes := startAll(t, all)
	if err := nodes[0].Remove(t.Context(), "n3"); !errors.Is(err, cluster.ErrConnected) {
		t.Errorf("Remove of a node that runs = %v, want ErrConnected", err)
	}
	eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := nodes[0].Remove(ctx, "n9"); !errors.Is(err, cluster.ErrUnknownNode) {
			return fmt.Errorf("Remove of an unknown node = %w, want ErrUnknownNode", err)
		}
		return nil
	})
	nodes[2].Stop()
	eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := nodes[0].Remove(ctx, "n3"); err != nil && !errors.Is(err, cluster.ErrUnknownNode) {
			return err
		}
		s, err := nodes[0].Status(ctx)
		if err == nil && len(s.Nodes) != 2 {
			err = fmt.Errorf("Status = %+v", s)
		}
		return err
	})
}

// TestOthersAreRefused has a fourth node that must not join three others.
func TestOthersAreRefused(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	for name, c := range map[string]struct {
		change      func(*cluster.Config)
		here, there string // what the logs say
	}{
		"another secret": {func(c *cluster.Config) { c.Secret = "the secret of others" },
			"a node was refused, which has another secret", "another node refuses this one"},
		"no secret": {func(c *cluster.Config) { c.Secret = "" },
			"a node was refused, which has another secret", "another node refuses this one"},
		"another authority": {func(c *cluster.Config) { c.TLS = theirs.issue(t, c.Listen) },
			"check certificates", "check certificates"},
		"another cluster": {func(c *cluster.Config) { c.Cluster = "elsewhere" },
			"belongs to another cluster", "belongs to another cluster"},
		"another node's name": {func(c *cluster.Config) { c.Name = "n1" },
			"has the name of another one", "has the name of another one"},
	} {
		t.Run(name, func(t *testing.T) {
			all, written := configs(t, 4)
			for i := range all {
				all[i].Peers, all[i].TLS = all[i].Peers[:3], ours.issue(t, all[i].Listen)
			}
			c.change(&all[3])
			nodes := startAll(t, all[:3])
			put := stream(t, nodes[1], 3)
			start(t, all[3])
			logged(t, written[0], c.here)
			logged(t, written[3], c.there)
			if strings.Contains(written[0].String()+written[3].String(), secret) {
				t.Error("a secret is in a log")
			}
			if s, err := nodes[0].Status(t.Context()); err != nil || len(s.Nodes) != 3 {
				t.Errorf("Status = %+v, %v, want three nodes", s, err)
			}
			if err := put(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoOtherClients has somebody on this machine who found the port.
func TestNoOtherClients(t *testing.T) {
	all, _ := configs(t, 1)
	n := start(t, all[0])
	s, err := n.ClientAddress()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := nats.Connect("nats://" + s); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("Connect without a key = %v, want ErrAuthorization", err)
		if c != nil {
			c.Close()
		}
	}
}

func TestStartFails(t *testing.T) {
	t.Run("port in use", func(t *testing.T) {
		all, _ := configs(t, 3)
		l, err := net.Listen("tcp", all[0].Listen)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, err = cluster.Start(t.Context(), all[0])
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), all[0].Listen+" is in use") {
			t.Errorf("Start = %v", err)
		}
	})
	t.Run("folder not writable", func(t *testing.T) {
		all, _ := configs(t, 3)
		if runtime.GOOS == "windows" {
			t.Skip("modes of folders mean nothing here")
		}
		if err := os.MkdirAll(all[0].Dir, 0o500); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() == 0 { // may write anywhere, but not into a file
			all[0].Dir = filepath.Join(all[0].Dir, "file")
			if err := os.WriteFile(all[0].Dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := cluster.Start(t.Context(), all[0]); err == nil || !strings.Contains(err.Error(), "folder of the node") {
			t.Errorf("Start = %v", err)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		all, _ := configs(t, 3)
		n := start(t, all[0])
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := n.Ready(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Ready = %v", err)
		}
	})
}
