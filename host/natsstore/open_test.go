package natsstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/natsstore"
)

func TestOpenRefuses(t *testing.T) {
	one := func(change func(*server.Options)) func(*testing.T) *cluster {
		return func(t *testing.T) *cluster { return testCluster(t, 1, change) }
	}
	same := func(c natsstore.Config) natsstore.Config { return c }
	for name, c := range map[string]struct {
		servers func(*testing.T) *cluster
		change  func(natsstore.Config) natsstore.Config
		wait    time.Duration
		want    []string
	}{
		"no JetStream":      {one(func(o *server.Options) { o.JetStream = false }), same, 20 * time.Second, []string{"no JetStream", "jetstream {}"}},
		"small max_payload": {one(func(o *server.Options) { o.MaxPayload = 100_000 }), same, 20 * time.Second, []string{"100000", "max_payload"}},
		"wrong password": {one(func(o *server.Options) { o.Username, o.Password = "restante", "right" }), func(c natsstore.Config) natsstore.Config {
			c.Options = []nats.Option{nats.UserInfo("restante", "wrong")}
			return c
		}, 20 * time.Second, []string{"refuses the credentials"}},
		"replicas on one server": {one(nil), func(c natsstore.Config) natsstore.Config { c.Replicas = 3; return c }, 20 * time.Second,
			[]string{"3 replicas", "no cluster"}},
		"too many replicas": {func(t *testing.T) *cluster { return sharedCluster(t, 3) },
			func(c natsstore.Config) natsstore.Config { c.Replicas = 5; return c }, 30 * time.Second, []string{"5 replicas", "start more"}},
		"bad prefix": {one(nil), func(c natsstore.Config) natsstore.Config { c.Prefix = "a_b"; return c }, time.Second, []string{`"_"`}},
		"no server": {one(nil), func(c natsstore.Config) natsstore.Config { c.URLs = []string{"nats://127.0.0.1:1"}; return c }, time.Second,
			[]string{"no NATS server can be reached", "127.0.0.1:1"}},
		"no quorum": {func(t *testing.T) *cluster {
			c := testCluster(t, 3, nil)
			for _, s := range c.servers[1:] {
				s.Shutdown()
			}
			return c
		}, same, 3 * time.Second, []string{"no leader"}},
		"no permission": {one(func(o *server.Options) {
			o.Users = []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: []string{"x"}}}}}
		}), func(c natsstore.Config) natsstore.Config {
			c.Options = []nats.Option{nats.UserInfo("u", "p")}
			return c
		}, 20 * time.Second, []string{"does not permit", "$JS.API.INFO"}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(t, c.servers(t))
			ctx, cancel := context.WithTimeout(t.Context(), c.wait)
			defer cancel()
			start := time.Now()
			s, err := natsstore.Open(ctx, c.change(conf))
			if err == nil {
				s.Close()
				t.Fatal("Open succeeded")
			}
			t.Logf("after %v: %v", time.Since(start).Round(time.Millisecond), err)
			for _, want := range append(c.want, "open store") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Open = %v, want an error with %q", err, want)
				}
			}
		})
	}
}

// TestOpenWaits opens a store before most of the servers run.
func TestOpenWaits(t *testing.T) {
	c := testCluster(t, 3, nil)
	conf := config(t, c)
	for i := range 3 {
		c.servers[i].Shutdown()
		c.servers[i].WaitForShutdown()
	}
	opened := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s, err := natsstore.Open(ctx, conf)
		if err == nil {
			_, err = s.Counts(ctx, "g")
			err = errors.Join(err, s.Close())
		}
		opened <- err
	}()
	for i := range 3 {
		select {
		case err := <-opened:
			t.Fatalf("Open with %d servers = %v", i, err)
		case <-time.After(300 * time.Millisecond):
		}
		if err := c.start(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
}

// TestNoQuorum has calls end when they must, and go on when servers come back.
func TestNoQuorum(t *testing.T) {
	c := testCluster(t, 3, nil)
	s := open(t, config(t, c))
	add := host.Addition{Group: "g", Key: "k", Data: messages("1")}
	if _, err := s.Append(t.Context(), host.Addition{Group: "g", Data: messages("0")}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		c.servers[i].Shutdown()
		c.servers[i].WaitForShutdown()
	}
	for name, call := range map[string]func(context.Context) error{
		"Append": func(ctx context.Context) error { _, err := s.Append(ctx, add); return err },
		"Move": func(ctx context.Context) error {
			_, _, err := s.Move(ctx, "g", host.NewRanges(1), host.Held)
			return err
		},
		"that nothing is unread": func(ctx context.Context) error {
			select {
			case <-time.After(2 * time.Second): // or the last write would do
			case <-ctx.Done():
			}
			_, err := s.StillUnread(ctx, "empty", host.Ranges{})
			return err
		},
		"Record": func(ctx context.Context) error { _, err := s.Record(ctx, "b", "k"); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		start := time.Now()
		err := call(ctx)
		if took := time.Since(start); !errors.Is(err, host.ErrUnavailable) && name != "Record" || took > 5*time.Second {
			t.Errorf("%s without a quorum = %v after %v", name, err, took)
		} else {
			t.Logf("%s: %v", name, err)
		}
		cancel()
	}
	for i := range 2 {
		if err := c.start(i); err != nil {
			t.Fatal(err)
		}
	}
	ids, err := s.Append(t.Context(), add)
	if err != nil || len(ids) != 1 || ids[0] != 2 {
		t.Fatalf("Append when the servers are back = %v, %v, want [2]", ids, err)
	}
	if err := s.CheckData(); err != nil {
		t.Error(err)
	}
}

// TestInProcess opens a store on a server within the process, without an address.
func TestInProcess(t *testing.T) {
	c := sharedCluster(t, 1)
	conf := config(t, c)
	conf.URLs, conf.Options = nil, []nats.Option{nats.InProcessServer(c.servers[0])}
	s := open(t, conf)
	if _, err := s.Append(t.Context(), host.Addition{Group: "g", Data: messages("1")}); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, host.Counts{Last: 1, Unread: 1})
}
