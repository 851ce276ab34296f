package natsstore_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/natsstore"
	"github.com/restante/restante/host/storetest"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(beServer); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given { // each check makes streams; 100 take minutes
		if err := flag.Set("rapid.checks", "10"); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	stopShared()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var prefixes atomic.Int64

// config is for a new store on a cluster, which is deleted when t ends.
func config(t testing.TB, c *cluster) natsstore.Config {
	conf := natsstore.Config{
		URLs: c.urls(), Replicas: len(c.servers), Prefix: fmt.Sprintf("test%d", prefixes.Add(1)),
		Log: hclog.New(&hclog.LoggerOptions{Output: testLog{t}, Level: hclog.Warn}),
	}
	t.Cleanup(func() { deleteStreams(t, c, conf.Prefix) })
	return conf
}

type testLog struct{ testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.Logf("%s", strings.TrimSpace(string(b)))
	return len(b), nil
}

func deleteStreams(t testing.TB, c *cluster, prefix string) {
	conn, err := nats.Connect(strings.Join(c.urls(), ","))
	if err != nil {
		return
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if strings.HasPrefix(name, prefix+"_") {
			if err := js.DeleteStream(ctx, name); err != nil {
				t.Logf("delete stream %s: %v", name, err)
			}
		}
	}
}

func open(t testing.TB, c natsstore.Config) *natsstore.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := natsstore.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// opened opens a store as two daemons do.
func opened(t testing.TB, c natsstore.Config, move func(time.Duration)) storetest.Opened {
	a, b := open(t, c), open(t, c)
	return storetest.Opened{
		A: a, B: b, Check: a.Check, Move: move,
		Reopen: func() storetest.Opened {
			for _, s := range []host.Store{a, b} {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			return opened(t, c, move)
		},
	}
}

func testStore(t *testing.T, servers int) {
	open := func(t testing.TB) storetest.Opened {
		c := config(t, sharedCluster(t, servers))
		var moved atomic.Int64
		c.Now = func() time.Time { return time.Now().Add(time.Duration(moved.Load())) }
		return opened(t, c, func(d time.Duration) { moved.Add(int64(d)) })
	}
	storetest.Run(t, open)
	storetest.RunCopying(t, open)
}

func TestStoreOneServer(t *testing.T) { testStore(t, 1) }

func TestStoreThreeServers(t *testing.T) { testStore(t, 3) }
