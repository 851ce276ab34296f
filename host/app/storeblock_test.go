package app

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/restante/restante/host/cluster"
)

func TestReadStore(t *testing.T) {
	three := 3
	for name, c := range map[string]struct {
		text string
		want StoreConfig
	}{
		"none": {"", StoreConfig{}},
		"bolt": {`store "bolt" {}`, StoreConfig{Kind: "bolt"}},
		"nats": {`store "nats" {
  urls     = ["nats://a:4222", "tls://b:4222"]
  replicas = 3
  prefix   = "campus"
  user     = "restante"
  password = file("secret")
}`, StoreConfig{Kind: "nats", Replicas: 3, NATS: &NATSConfig{
			URLs: []string{"nats://a:4222", "tls://b:4222"}, Replicas: &three, Prefix: "campus", User: "restante", Password: "a secret of the nodes",
		}}},
		"cluster": {`store "cluster" {
  node   = "a"
  listen = "127.0.0.1:7422"
  peers  = ["127.0.0.1:7422", "127.0.0.1:7423", "127.0.0.1:7424"]
  secret = file("secret")
}`, StoreConfig{Kind: "cluster", Replicas: 3, Cluster: &cluster.Config{
			Name: "a", Listen: "127.0.0.1:7422", Peers: []string{"127.0.0.1:7422", "127.0.0.1:7423", "127.0.0.1:7424"},
			Secret: "a secret of the nodes",
		}}},
		"a node alone": {"store \"cluster\" {\n  node = \"a\"\n}", StoreConfig{Kind: "cluster", Replicas: 1, Cluster: &cluster.Config{Name: "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeConfig(t, c.text)
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), "secret"), []byte("a secret of the nodes\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var got Config
			var out strings.Builder
			if err := ReadConfig(path, &got, &out); err != nil {
				t.Fatalf("ReadConfig = %v\n%s", err, &out)
			}
			if !reflect.DeepEqual(got.Store, c.want) {
				t.Errorf("ReadConfig gives %+v, want %+v", got.Store, c.want)
			}
			other := got
			other.Store = StoreConfig{Kind: "other"}
			if changed := keepFixed(&other, got); !reflect.DeepEqual(changed, []string{"store"}) || !reflect.DeepEqual(other, got) {
				t.Errorf("keepFixed = %q and leaves %+v", changed, other.Store)
			}
		})
	}
}

func TestReadStorePointsAtTheLine(t *testing.T) {
	const nats = "store \"nats\" {\n  urls = [\"nats://a:4222\"]\n"
	const node = "store \"cluster\" {\n  node   = \"a\"\n  listen = \"127.0.0.1:7422\"\n  peers  = [\"127.0.0.1:7423\", \"127.0.0.1:7424\"]\n"
	for name, c := range map[string]struct{ text, want, line string }{
		"two":                  {"store \"bolt\" {}\nstore \"bolt\" {}\n", "another store block", "line 2"},
		"an unknown kind":      {"\nstore \"sqlite\" {\n}\n", "there is no store \"sqlite\"", "line 2"},
		"no kind":              {"store {}\n", "kind", "line 1"},
		"bolt, a setting":      {"store \"bolt\" {\n  path = \"x\"\n}\n", `"path"`, "line 2"},
		"nats, no urls":        {"store \"nats\" {\n}\n", `"urls"`, "line 1"},
		"nats, empty urls":     {"store \"nats\" {\n\n  urls = []\n}\n", "urls has no server", "line 3"},
		"nats, no URL":         {"store \"nats\" {\n\n  urls = [\"a:4222\"]\n}\n", "not a URL", "line 3"},
		"nats, a user in it":   {"store \"nats\" {\n\n  urls = [\"nats://u:p@a:4222\"]\n}\n", "with a user in it", "line 3"},
		"nats, replicas":       {nats + "  replicas = 2\n}\n", "must be 1, 3 or 5", "line 3"},
		"nats, prefix":         {nats + "  prefix = \"a.b\"\n}\n", `prefix is "a.b"`, "line 3"},
		"nats, two ways":       {nats + "  credentials = \"x\"\n  token = \"t\"\n}\n", "more than one", "line 3"},
		"nats, no password":    {nats + "  user = \"u\"\n}\n", "go together", "line 3"},
		"nats, no credentials": {nats + "  credentials = \"nowhere\"\n}\n", "nowhere", "line 3"},
		"nats, no CA":          {nats + "  tls {\n    ca = \"nowhere\"\n  }\n}\n", "nowhere", "line 3"},
		"nats, no key":         {nats + "  tls {\n    certificate = \"x\"\n  }\n}\n", "go together", "line 3"},
		"cluster, no node":     {"store \"cluster\" {\n}\n", `"node"`, "line 1"},
		"cluster, bad node":    {"store \"cluster\" {\n\n  node = \"a b\"\n}\n", `node is "a b"`, "line 3"},
		"cluster, unknown":     {node + "  prefix = \"x\"\n}\n", `"prefix"`, "line 5"},
		"cluster, short":       {node + "  secret = \"x\"\n}\n", "secret has 1 characters", "line 5"},
		"cluster, replicas":    {node + "  replicas = 5\n}\n", "there are 3 nodes", "line 5"},
		"cluster, two nodes":   {"store \"cluster\" {\n  node = \"a\"\n  listen = \"127.0.0.1:1\"\n  peers = [\"127.0.0.1:2\"]\n}\n", "there are 2 nodes", "line 1"},
		"cluster, open":        {"store \"cluster\" {\n  node = \"a\"\n  listen = \"10.0.0.1:1\"\n  peers = [\"10.0.0.2:1\"]\n}\n", "Set both tls and secret", "line 1"},
		"cluster, tls":         {node + "  tls {\n    ca = \"x\"\n    certificate = \"x\"\n    key = \"x\"\n  }\n}\n", "read certificate and key", "line 5"},
		"cluster, variable":    {node + "  secret = env(\"RESTANTE_TEST_NONE\")\n}\n", "RESTANTE_TEST_NONE", "line 5"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := ReadConfig(writeConfig(t, c.text), &Config{}, &out)
			if !errors.Is(err, ErrConfig) || !strings.Contains(out.String(), c.want) || !strings.Contains(out.String(), c.line) {
				t.Errorf("ReadConfig = %v and wrote %s, want %q and %q", err, &out, c.want, c.line)
			}
		})
	}
}
