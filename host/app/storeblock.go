package app

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host/cluster"
)

// Kinds of stores.
const (
	boltKind    = "bolt"
	natsKind    = "nats"
	clusterKind = "cluster"
)

// StoreConfig says where messages are kept.
type StoreConfig struct {
	// Kind is "bolt", a file in the data folder; "nats", a NATS cluster that is there;
	// or "cluster", one that daemons form by themselves. Empty is "bolt".
	Kind string
	// Replicas is how many servers keep each stream: 1, 3 or 5.
	Replicas int
	// NATS is set if Kind is "nats", and Cluster if it is "cluster"; its Dir and Log
	// are filled in at the start.
	NATS    *NATSConfig
	Cluster *cluster.Config
}

// shared says whether other daemons have the store too.
func (c StoreConfig) shared() bool { return c.Kind == natsKind || c.Kind == clusterKind }

// NATSConfig says how to reach a NATS cluster, with the names of its settings.
type NATSConfig struct {
	URLs     []string `hcl:"urls"`
	Prefix   string   `hcl:"prefix,optional"`
	Replicas *int     `hcl:"replicas"`
	// Credentials is a file as the tool nsc writes it.
	Credentials string   `hcl:"credentials,optional"`
	User        string   `hcl:"user,optional"`
	Password    string   `hcl:"password,optional"`
	Token       string   `hcl:"token,optional"`
	TLS         *natsTLS `hcl:"tls,block"`
}

type natsTLS struct {
	CA          string `hcl:"ca,optional"`
	Certificate string `hcl:"certificate,optional"`
	Key         string `hcl:"key,optional"`
	ServerName  string `hcl:"server_name,optional"`
}

// storeBlock says where messages are kept.
type storeBlock struct {
	Kind string   `hcl:"kind,label"`
	Body hcl.Body `hcl:",body"`
	Rest hcl.Body `hcl:",remain"`
}

type clusterBlock struct {
	Node     string   `hcl:"node"`
	Cluster  string   `hcl:"cluster,optional"`
	Listen   string   `hcl:"listen,optional"`
	Peers    []string `hcl:"peers,optional"`
	Secret   string   `hcl:"secret,optional"`
	Replicas *int     `hcl:"replicas"`
	TLS      *struct {
		CA          string `hcl:"ca"`
		Certificate string `hcl:"certificate"`
		Key         string `hcl:"key"`
	} `hcl:"tls,block"`
}

// applyStore takes over where messages are kept. Files are relative to dir.
func (f *file) applyStore(c *Config, dir string, scope *hcl.EvalContext) (faults hcl.Diagnostics) {
	for i, b := range f.Stores {
		if i > 0 {
			faults = append(faults, fault(b.Body.MissingItemRange(), "Duplicate store", "There is another store block; a daemon has one store."))
			continue
		}
		c.Store = StoreConfig{Kind: b.Kind}
		var wrong hcl.Diagnostics
		var err error
		switch b.Kind {
		case boltKind:
			_, wrong = b.Rest.Content(&hcl.BodySchema{})
		case natsKind:
			var n NATSConfig
			if wrong = gohcl.DecodeBody(b.Rest, scope, &n); !wrong.HasErrors() {
				err = n.config(&c.Store, dir)
			}
		case clusterKind:
			var n clusterBlock
			if wrong = gohcl.DecodeBody(b.Rest, scope, &n); !wrong.HasErrors() {
				err = n.config(&c.Store, dir)
			}
		default:
			err = fmt.Errorf("there is no store %q: use \"bolt\", a file in the data folder; \"nats\", a NATS cluster that is there; or \"cluster\", one that daemons form by themselves", b.Kind)
		}
		if err != nil {
			setting := ""
			if e, ok := errors.AsType[*cluster.SettingError](err); ok {
				setting = e.Setting
			}
			wrong = append(wrong, fault(b.place(setting), "Bad store", err.Error()+"."))
		}
		faults = append(faults, wrong...)
	}
	return faults
}

// place is the line of a setting, or that of the block if it is not set.
func (b *storeBlock) place(setting string) hcl.Range {
	content, _, _ := b.Body.PartialContent(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: cmp.Or(setting, "kind")}}, Blocks: []hcl.BlockHeaderSchema{{Type: "tls"}},
	})
	if a, ok := content.Attributes[setting]; ok {
		return a.Range
	}
	if setting == "tls" && len(content.Blocks) > 0 {
		return content.Blocks[0].DefRange
	}
	return b.Body.MissingItemRange()
}

func bad(setting, format string, args ...any) error {
	return &cluster.SettingError{Setting: setting, Err: fmt.Errorf(format, args...)}
}

// replicas reads how many servers keep each stream, of so many servers that there
// are, or 0 if that is not known.
func replicas(set *int, servers int) (int, error) {
	n := 3
	switch {
	case set != nil:
		n = *set
	case servers == 1:
		n = 1
	}
	if !slices.Contains([]int{1, 3, 5}, n) {
		return n, bad("replicas", "replicas is %d; it must be 1, 3 or 5", n)
	}
	if servers > 0 && n > servers {
		return n, bad("replicas", "replicas is %d, and there are %d nodes: name more of them in peers, or set fewer replicas", n, servers)
	}
	return n, nil
}

func (c *NATSConfig) config(to *StoreConfig, dir string) (err error) {
	if to.Replicas, err = replicas(c.Replicas, 0); err != nil {
		return err
	}
	to.NATS = c
	c.Credentials = inFolder(dir, c.Credentials)
	if t := c.TLS; t != nil {
		t.CA, t.Certificate, t.Key = inFolder(dir, t.CA), inFolder(dir, t.Certificate), inFolder(dir, t.Key)
	}
	return c.check()
}

func (b *clusterBlock) config(c *StoreConfig, dir string) (err error) {
	c.Cluster = &cluster.Config{Name: b.Node, Cluster: b.Cluster, Listen: b.Listen, Peers: b.Peers, Secret: b.Secret}
	if t := b.TLS; t != nil {
		c.Cluster.TLS = &cluster.TLS{CertFile: inFolder(dir, t.Certificate), KeyFile: inFolder(dir, t.Key), CAFile: inFolder(dir, t.CA)}
	}
	if err := c.Cluster.Check(); err != nil {
		return err
	}
	c.Replicas, err = replicas(b.Replicas, c.Cluster.Nodes())
	return err
}

func (c *NATSConfig) check() error {
	if len(c.URLs) == 0 {
		return bad("urls", "urls has no server; name one or more, such as \"nats://nats.example.edu:4222\"")
	}
	for _, text := range c.URLs {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
			return bad("urls", "urls has %q, which is not a URL such as \"nats://nats.example.edu:4222\"", text)
		case u.User != nil:
			return bad("urls", "urls has one for %s with a user in it: write user and password, or token, as settings of their own", u.Host)
		}
	}
	ways := 0
	for _, way := range []string{c.Credentials, c.User, c.Token} {
		if way != "" {
			ways++
		}
	}
	switch {
	case ways > 1:
		return bad("credentials", "there is more than one of credentials, user and token: one is how the daemon is known")
	case (c.User == "") != (c.Password == ""):
		return bad("user", "user and password go together, and one of them is not set")
	}
	if strings.ContainsFunc(c.Prefix, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-')
	}) || len(c.Prefix) > 32 {
		return bad("prefix", "prefix is %q; it has up to 32 letters, digits and \"-\"", c.Prefix)
	}
	_, err := c.options()
	return err
}

// options reads the files and returns those of a connection.
func (c *NATSConfig) options() (all []nats.Option, err error) {
	switch {
	case c.Credentials != "":
		if _, err := os.Stat(c.Credentials); err != nil {
			return nil, bad("credentials", "read the credentials: %w", err)
		}
		all = append(all, nats.UserCredentials(c.Credentials))
	case c.User != "":
		all = append(all, nats.UserInfo(c.User, c.Password))
	case c.Token != "":
		all = append(all, nats.Token(c.Token))
	}
	if c.TLS == nil {
		return all, nil
	}
	secure, err := c.TLS.config()
	if err != nil {
		return nil, &cluster.SettingError{Setting: "tls", Err: err}
	}
	return append(all, nats.Secure(secure)), nil
}

func (t *natsTLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("read ca: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read ca: %s has no certificate in PEM", t.CA)
		}
	}
	if (t.Certificate == "") != (t.Key == "") {
		return nil, errors.New("certificate and key go together, and one of them is not set")
	}
	if t.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("read certificate and key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
