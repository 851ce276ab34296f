package natsstore_test

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/restante/restante/host/loopback"
)

// cluster is servers within the test.
type cluster struct {
	options []*server.Options
	servers []*server.Server
}

// newCluster starts n servers that sync always; one is no cluster. Change may
// change their options.
func newCluster(dir string, n int, change func(*server.Options)) (*cluster, error) {
	addresses, err := freeAddresses(2 * n)
	if err != nil {
		return nil, err
	}
	c := &cluster{}
	for i := range n {
		o := serverOptions(dir, addresses, i)
		if change != nil {
			change(o)
		}
		c.options, c.servers = append(c.options, o), append(c.servers, nil)
	}
	for i := range n {
		if err := c.start(i); err != nil {
			c.stop()
			return nil, err
		}
	}
	return c, nil
}

// serverOptions are those of server i of a cluster; the first half of the addresses is for
// clients, the other for the servers themselves.
func serverOptions(dir string, addresses []string, i int) *server.Options {
	n := len(addresses) / 2
	clients, routes := netip.MustParseAddrPort(addresses[i]), netip.MustParseAddrPort(addresses[n+i])
	o := &server.Options{
		ServerName: fmt.Sprintf("n%d", i+1), Host: clients.Addr().String(), Port: int(clients.Port()),
		JetStream: true, StoreDir: filepath.Join(dir, fmt.Sprintf("n%d", i+1)), SyncAlways: true,
		NoLog: true, NoSigs: true, JetStreamMaxMemory: 256 << 20, JetStreamMaxStore: 32 << 30,
	}
	if n > 1 {
		o.Cluster = server.ClusterOpts{Name: "restante", Host: routes.Addr().String(), Port: int(routes.Port())}
		for _, address := range addresses[n:] {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: address})
		}
	}
	return o
}

func (c *cluster) start(i int) error {
	s, err := server.NewServer(c.options[i].Clone())
	if err != nil {
		return err
	}
	s.Start()
	if c.servers[i] = s; !s.ReadyForConnections(20 * time.Second) {
		return errors.New("the server is not ready after 20 s")
	}
	return nil
}

func (c *cluster) stop() {
	for _, s := range c.servers {
		if s != nil {
			s.Shutdown()
			s.WaitForShutdown()
		}
	}
}

func (c *cluster) urls() (all []string) {
	for _, o := range c.options {
		all = append(all, fmt.Sprintf("nats://%s:%d", o.Host, o.Port))
	}
	return all
}

// freeAddresses returns addresses that nobody listens at.
func freeAddresses(n int) (all []string, err error) {
	for range n {
		address, err := loopback.FreeAddress()
		if err != nil {
			return nil, err
		}
		all = append(all, address)
	}
	return all, nil
}

// testCluster starts a cluster for one test.
func testCluster(t testing.TB, n int, change func(*server.Options)) *cluster {
	t.Helper()
	c, err := newCluster(t.TempDir(), n, change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c
}

// shared are clusters that several tests use, each with a prefix of its own.
var shared = map[int]*cluster{}

func sharedCluster(t testing.TB, n int) *cluster {
	t.Helper()
	if shared[n] == nil {
		dir, err := os.MkdirTemp("", "natsstore")
		if err != nil {
			t.Fatal(err)
		}
		if shared[n], err = newCluster(dir, n, nil); err != nil {
			t.Fatal(err)
		}
	}
	return shared[n]
}

func stopShared() {
	for _, c := range shared {
		c.stop()
		os.RemoveAll(filepath.Dir(c.options[0].StoreDir))
	}
}
