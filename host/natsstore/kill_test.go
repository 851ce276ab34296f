package natsstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/natsstore"
)

// beServer has the test binary be a server: its value says which.
const beServer = "RESTANTE_TEST_BE_NATS_SERVER"

// serverOf is a server of a cluster of processes.
type serverOf struct {
	Dir       string
	Addresses []string
	I         int
}

// serve runs a server until the standard input ends, or somebody kills it.
func serve(text string) error {
	var which serverOf
	if err := json.Unmarshal([]byte(text), &which); err != nil {
		return err
	}
	s, err := server.NewServer(serverOptions(which.Dir, which.Addresses, which.I))
	if err != nil {
		return err
	}
	s.Start()
	_, err = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	s.WaitForShutdown()
	return err
}

// processes are servers that can be killed.
type processes struct {
	t       testing.TB
	all     []serverOf
	running []*exec.Cmd
}

func startProcesses(t testing.TB, n int) *processes {
	addresses, err := freeAddresses(2 * n)
	if err != nil {
		t.Fatal(err)
	}
	p := &processes{t: t, running: make([]*exec.Cmd, n)}
	dir := t.TempDir()
	t.Cleanup(func() {
		for i := range p.all {
			p.kill(i)
		}
	})
	for i := range n {
		p.all = append(p.all, serverOf{dir, addresses, i})
		p.start(i)
	}
	return p
}

func (p *processes) start(i int) {
	text, err := json.Marshal(p.all[i])
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), beServer+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	_ = in // it ends when this process does
	p.running[i] = cmd
	for deadline := time.Now().Add(time.Minute); ; {
		c, err := net.Dial("tcp", p.all[i].Addresses[i])
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("server %d does not listen: %v", i, err)
		}
	}
}

// kill ends a server at once, whatever it does.
func (p *processes) kill(i int) {
	if cmd := p.running[i]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		p.running[i] = nil
	}
}

func (p *processes) urls() (all []string) {
	for i, s := range p.all {
		all = append(all, "nats://"+s.Addresses[i])
	}
	return all
}

// TestKill kills the leader of a group, or another server, while two daemons write.
// What was answered is there, exactly once, and nothing else is.
func TestKill(t *testing.T) {
	const kills = 3
	p := startProcesses(t, 3)
	conf := natsstore.Config{URLs: p.urls()}
	stores := []*natsstore.Store{open(t, conf), open(t, conf)}
	if _, err := stores[0].Append(t.Context(), host.Addition{Group: "g", Data: messages(`"first"`)}); err != nil {
		t.Fatal(err)
	}
	w := &written{t: t, data: map[host.ID]string{1: `"first"`}, numbers: map[uint64]bool{}}
	var rounds atomic.Int64
	var slowest atomic.Int64
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for i := range 6 {
		wait.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				start := time.Now()
				w.round(stores[(i+n)%2], i, n)
				rounds.Add(1)
				for took := int64(time.Since(start)); ; {
					if old := slowest.Load(); took <= old || slowest.CompareAndSwap(old, took) {
						break
					}
				}
			}
		})
	}
	for range kills {
		waitFor(t, time.Minute, func() error { return healthy(t, stores[0]) })
		before := rounds.Load()
		waitFor(t, time.Minute, func() error { return atLeast(&rounds, before+20) })
		i := leaderOf(t, stores[0], "g")
		if rand.IntN(4) == 0 {
			i = (i + 1) % 3
		}
		p.kill(i)
		before = rounds.Load()
		waitFor(t, time.Minute, func() error { return atLeast(&rounds, before+20) })
		p.start(i)
	}
	close(stop)
	wait.Wait()
	t.Logf("%d rounds; the slowest took %v", rounds.Load(), time.Duration(slowest.Load()).Round(time.Millisecond))
	w.check(stores[1], int(rounds.Load()))
}

func atLeast(n *atomic.Int64, want int64) error {
	if got := n.Load(); got < want {
		return fmt.Errorf("%d rounds, want %d", got, want)
	}
	return nil
}

func waitFor(t testing.TB, most time.Duration, check func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(most); ; <-tick.C {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// healthy tells whether all replicas of all streams are up to date.
func healthy(t testing.TB, s *natsstore.Store) error {
	status, err := s.Status(t.Context())
	if err != nil {
		return err
	}
	for _, stream := range status.Streams {
		if stream.Leader == "" || len(stream.Replicas) != 2 {
			return fmt.Errorf("stream %+v", stream)
		}
		for _, r := range stream.Replicas {
			if !r.Current || r.Offline {
				return fmt.Errorf("stream %+v", stream)
			}
		}
	}
	return nil
}

func leaderOf(t testing.TB, s *natsstore.Store, g host.GroupName) int {
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range status.Streams {
		if stream.Group == g {
			var n int
			if _, err := fmt.Sscanf(stream.Leader, "n%d", &n); err == nil {
				return n - 1
			}
		}
	}
	t.Fatal(errors.New("the group has no leader"))
	return 0
}
