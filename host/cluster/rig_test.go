package cluster_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/restante/restante/host/cluster"
	"github.com/restante/restante/host/loopback"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a secret of the nodes"

// logs is what a node logs.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logs) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: l, Level: hclog.Info})
}

// configs are those of n nodes on this machine.
func configs(t *testing.T, n int) (all []cluster.Config, written []*logs) {
	t.Helper()
	var peers []string
	for range n {
		peers = append(peers, freeAddress(t))
	}
	for i := range n {
		l := &logs{}
		all = append(all, cluster.Config{
			Name: fmt.Sprintf("n%d", i+1), Dir: filepath.Join(t.TempDir(), "node"), Listen: peers[i], Peers: peers,
			Secret: secret, Log: l.logger(),
		})
		written = append(written, l)
	}
	return all, written
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := loopback.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func start(t *testing.T, c cluster.Config) *cluster.Node {
	t.Helper()
	n, err := cluster.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

// startAll starts nodes and waits until all are ready.
func startAll(t *testing.T, all []cluster.Config) (nodes []*cluster.Node) {
	t.Helper()
	for _, c := range all {
		nodes = append(nodes, start(t, c))
	}
	for _, n := range nodes {
		ready(t, n)
	}
	return nodes
}

func ready(t *testing.T, n *cluster.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, n *cluster.Node) jetstream.JetStream {
	t.Helper()
	c, err := nats.Connect(n.URL(), n.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	js, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// stream makes a stream on as many nodes as there are, if there is none, and
// returns what writes to it by way of a node.
func stream(t *testing.T, n *cluster.Node, replicas int) (put func() error) {
	t.Helper()
	js := connect(t, n)
	eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: replicas})
		return err
	})
	return func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := js.Publish(ctx, "s", []byte("x"), jetstream.WithRetryAttempts(0))
		return err
	}
}

// eventually tries until it works, for a minute.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func logged(t *testing.T, l *logs, want string) {
	t.Helper()
	eventually(t, func() error {
		if text := l.String(); !strings.Contains(text, want) {
			return fmt.Errorf("the log has no %q:\n%s", want, text)
		}
		return nil
	})
}

// authority issues certificates of nodes.
type authority struct {
	dir, file string
	cert      *x509.Certificate
	key       *ecdsa.PrivateKey
	issued    int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir(), issued: 1}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nodes"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = a.write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// issue makes a certificate for a node that listens at an address of this machine.
func (a *authority) issue(t *testing.T, address string) *cluster.TLS {
	t.Helper()
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.issued++
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(a.issued), Subject: pkix.Name{CommonName: "node"}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{at.Addr().AsSlice()},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster.TLS{
		CertFile: a.write(t, fmt.Sprintf("%d.pem", a.issued), "CERTIFICATE", der),
		KeyFile:  a.write(t, fmt.Sprintf("%d.key", a.issued), "PRIVATE KEY", secret),
		CAFile:   a.file,
	}
}
