package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/restante/restante/host/loopback"
)

// fleet are three daemons with one store.
type fleet struct {
	daemons   []*daemon
	addresses []string
	key       string
}

const nodes = 3

// startFleet starts a cluster on this machine, with so many groups beside "plain".
func startFleet(ctx context.Context, s *settings, groups int) (*fleet, error) {
	var queues strings.Builder
	queues.WriteString("queue \"plain\" {}\n")
	for i := range groups {
		fmt.Fprintf(&queues, "queue \"g%d\" {}\n", i)
	}
	var routes []string
	for range nodes {
		address, err := loopback.FreeAddress()
		if err != nil {
			return nil, err
		}
		routes = append(routes, fmt.Sprintf("%q", address))
	}
	f := &fleet{}
	for i := range nodes {
		config := filepath.Join(s.folder, fmt.Sprintf("node-%d.hcl", i))
		text := fmt.Sprintf("%sstore \"cluster\" {\n  node   = \"n%d\"\n  listen = %s\n  peers  = [%s]\n  secret = \"a secret of the benchmark\"\n}\n", queues.String(), i, routes[i], strings.Join(routes, ", "))
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return nil, err
		}
		d, err := launch(ctx, s, fmt.Sprintf("node-%d", i), config, "--log-level", "error") // they warn until they have found each other
		if err != nil {
			return nil, err
		}
		f.daemons, f.addresses = append(f.daemons, d), append(f.addresses, d.address)
	}
	for _, d := range f.daemons {
		if err := d.await(); err != nil {
			return nil, err
		}
	}
	var err error
	if f.key, err = f.daemons[0].key(ctx); err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second) // until all daemons know the key
	return f, nil
}

// stop ends the daemons. The last ones would wait for a majority that is no more.
func (f *fleet) stop() {
	for _, d := range f.daemons {
		d.kill(syscall.SIGKILL)
	}
}

// memory is that of all daemons in MiB, without pages of files.
func (f *fleet) memory() (sum float64, err error) {
	for _, d := range f.daemons {
		_, own, err := d.memory()
		if err != nil {
			return 0, err
		}
		sum += own
	}
	return sum, nil
}

// benchCluster measures a cluster of three daemons, all on this machine, beside a
// daemon with a file.
func benchCluster(ctx context.Context, s *settings) error {
	d, err := startDaemon(ctx, s, "alone")
	if err != nil {
		return err
	}
	defer d.kill(syscall.SIGTERM)
	key, err := d.key(ctx)
	if err != nil {
		return err
	}
	f, err := startFleet(ctx, s, 0)
	if err != nil {
		return err
	}
	defer f.stop()
	fmt.Printf("A cluster of %d daemons on this machine, fsync always, %d replicas, beside one daemon with a file:\n", nodes, nodes)
	fmt.Printf("durable adds of %d bytes, a second (median of %d runs of %v, by turns)\n", len(message), s.rounds, s.each)
	fmt.Printf("%-28s %9s %9s %8s\n", "", "cluster", "file", "ratio")
	row := func(name string, n int, contentType string, body []byte, messages float64, goal string) error {
		var cluster, alone []float64
		for range s.rounds {
			a, err := addRates(f.addresses, []string{"plain"}, f.key, n, s.each, contentType, body)
			if err != nil {
				return err
			}
			b, err := addRate(d.address, key, n, s.each, contentType, body)
			if err != nil {
				return err
			}
			cluster, alone = append(cluster, a*messages), append(alone, b*messages)
		}
		fmt.Printf("%-28s %9.0f %9.0f %8.2f%s\n", name, median(cluster), median(alone), median(cluster)/median(alone), goal)
		return nil
	}
	for _, n := range []int{1, 16, 64, 256} {
		goal := ""
		if n == 64 {
			goal = "   to reach: 0.35"
		}
		if err := row(fmt.Sprintf("%d clients, one at a time", n), n, "application/json", message, 1, goal); err != nil {
			return err
		}
	}
	lines := bytes.Repeat(append(bytes.Clone(message), '\n'), 100)
	if err := row("16 clients, batches of 100", 16, "application/x-ndjson", lines, 100, ""); err != nil {
		return err
	}
	cluster, err := cycleTime(f.daemons[1].address, f.key)
	if err != nil {
		return err
	}
	alone, err := cycleTime(d.address, key)
	if err != nil {
		return err
	}
	fmt.Printf("%-28s %6.2f ms %6.2f ms %8.2f\n\n", "fetch 16 and mark them", cluster, alone, cluster/alone)
	f.stop()
	return benchGroups(ctx, s)
}

// cycleTime is the median of fetching and marking, in milliseconds.
func cycleTime(address, key string) (float64, error) {
	c, err := dial(address, key)
	if err != nil {
		return 0, err
	}
	defer c.conn.Close()
	var took []float64
	for range 100 {
		began := time.Now()
		token, _, err := c.send(c.request("GET", "/poll/plain/fetch", "", nil), 200)
		if err != nil {
			return 0, err
		}
		mark := []byte(url.Values{"token": {token}}.Encode())
		if _, _, err := c.send(c.request("POST", "/poll/plain/mark", "application/x-www-form-urlencoded", mark), 200); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
	}
	return median(took), nil
}

// benchGroups measures a cluster as its groups grow in number.
func benchGroups(ctx context.Context, s *settings) error {
	fmt.Printf("Groups of a cluster: adds by 64 clients, a second\n%-12s %9s %12s %12s %14s\n", "groups", "adds", "per group", "first adds", "memory of all")
	for _, n := range []int{1, 10, 100, 300} {
		folder := *s
		folder.folder = filepath.Join(s.folder, fmt.Sprintf("groups-%d", n))
		if err := os.Mkdir(folder.folder, 0o700); err != nil {
			return err
		}
		f, err := startFleet(ctx, &folder, n)
		s.running = append(s.running, folder.running[len(s.running):]...)
		if err != nil {
			return err
		}
		var groups []string
		for i := range n {
			groups = append(groups, fmt.Sprintf("g%d", i))
		}
		began := time.Now()
		for i, g := range groups { // what makes the streams
			c, err := dial(f.addresses[i%nodes], f.key)
			if err != nil {
				return err
			}
			_, _, err = c.send(c.request("POST", "/add/"+g, "application/json", message), 201)
			c.conn.Close()
			if err != nil {
				return err
			}
		}
		first := time.Since(began)
		var all []float64
		for range s.rounds {
			v, err := addRates(f.addresses, groups, f.key, max(64, n), s.each, "application/json", message)
			if err != nil {
				return err
			}
			all = append(all, v)
		}
		memory, err := f.memory()
		if err != nil {
			return err
		}
		fmt.Printf("%-12d %9.0f %12.1f %9.0f ms %10.0f MiB\n", n, median(all), median(all)/float64(n), float64(first.Milliseconds())/float64(n), memory)
		f.stop()
	}
	fmt.Println()
	return nil
}
