package cluster_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/restante/restante/host/cluster"
)

func TestCheck(t *testing.T) {
	a := newAuthority(t)
	good := func() cluster.Config {
		return cluster.Config{
			Name: "a", Dir: "x", Listen: "10.0.0.1:7422", Peers: []string{"10.0.0.1:7422", "10.0.0.2:7422", "c.example.edu:7422"},
			Secret: secret, TLS: a.issue(t, "10.0.0.1:7422"),
		}
	}
	c := good()
	if err := c.Check(); err != nil || c.Nodes() != 3 {
		t.Fatalf("Check = %v with %d nodes", err, c.Nodes())
	}
	for name, c := range map[string]struct {
		change        func(*cluster.Config)
		setting, want string
	}{
		"no name":           {func(c *cluster.Config) { c.Name = "" }, "node", `node is ""`},
		"a name with space": {func(c *cluster.Config) { c.Name = "a b" }, "node", "letters"},
		"cluster":           {func(c *cluster.Config) { c.Cluster = "a b" }, "cluster", "letters"},
		"no listen":         {func(c *cluster.Config) { c.Listen = "" }, "listen", "not set"},
		"no port":           {func(c *cluster.Config) { c.Listen = "10.0.0.1" }, "listen", "ADDRESS:PORT"},
		"port 0":            {func(c *cluster.Config) { c.Listen = "10.0.0.1:0" }, "listen", "ADDRESS:PORT"},
		"a URL as peer":     {func(c *cluster.Config) { c.Peers[1] = "nats://10.0.0.2:7422" }, "peers", "ADDRESS:PORT"},
		"any as peer":       {func(c *cluster.Config) { c.Peers[1] = "0.0.0.0:7422" }, "peers", "another machine"},
		"a peer twice":      {func(c *cluster.Config) { c.Peers[1] = c.Peers[2] }, "peers", "twice"},
		"a short secret":    {func(c *cluster.Config) { c.Secret = "short" }, "secret", "openssl"},
		"no secret":         {func(c *cluster.Config) { c.Secret = "" }, "secret", "Set both"},
		"no TLS":            {func(c *cluster.Config) { c.TLS = nil }, "tls", "Set both"},
		"a far peer": {func(c *cluster.Config) { c.TLS, c.Listen = nil, "127.0.0.1:7422" },
			"tls", "10.0.0.1:7422"},
		"no key":  {func(c *cluster.Config) { c.TLS.KeyFile = "" }, "tls", "certificate, key and ca"},
		"no file": {func(c *cluster.Config) { c.TLS.CAFile = "nowhere" }, "tls", "nowhere"},
		"no PEM":  {func(c *cluster.Config) { c.TLS.CAFile = c.TLS.KeyFile }, "tls", "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			config := good()
			c.change(&config)
			err := config.Check()
			if e, ok := errors.AsType[*cluster.SettingError](err); !ok || e.Setting != c.setting || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check = %v, want one of %s with %q", err, c.setting, c.want)
			}
		})
	}
	alone := cluster.Config{Name: "a", Dir: "x", Listen: "10.0.0.1:7422", Peers: []string{"10.0.0.1:7422"}}
	if err := alone.Check(); err != nil || alone.Nodes() != 1 {
		t.Errorf("Check of a node alone = %v with %d nodes", err, alone.Nodes())
	}
}
