package cluster

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// maxPayload is the largest message of the server, in bytes. Routes carry what
	// several writes gather, so it is more than a client sends at once.
	maxPayload = 8 << 20
	// maxMemory bounds streams in memory, of which there are none.
	maxMemory = 64 << 20
	// unlimited is a limit of storage that no disk reaches: 1 EiB. Without one, the
	// server would take a share of what is free when it starts, which after a
	// restart may be less than it has stored.
	unlimited = 1 << 60
	// closeTime is within which clients that are left are disconnected at the end.
	closeTime = time.Second
)

// options are those of the server.
func (c *Config) options(g *gate) (_ *server.Options, err error) {
	o := &server.Options{
		ServerName: c.Name, NoSigs: true, MaxPayload: maxPayload,
		// The server needs a listener to take part in a cluster. Whoever finds it
		// does not get through the gate.
		Host: "127.0.0.1", Port: server.RANDOM_PORT, CustomClientAuthentication: g,
		JetStream: true, StoreDir: c.Dir, SyncAlways: true, DisableJetStreamBanner: true,
		JetStreamMaxMemory: maxMemory, JetStreamMaxStore: c.MaxStore,
		LameDuckDuration: closeTime, LameDuckGracePeriod: time.Millisecond,
	}
	if o.JetStreamMaxStore == 0 {
		o.JetStreamMaxStore = unlimited
	}
	if c.alone() {
		return o, nil
	}
	o.Cluster.Name, o.Cluster.NoAdvertise = c.Cluster, true
	if o.Cluster.Host, o.Cluster.Port, err = parseAddress(c.Listen); err != nil {
		return nil, err
	}
	if ip := net.ParseIP(o.Cluster.Host); o.Cluster.Host != "" && (ip == nil || !ip.IsUnspecified()) {
		// The others tell each other of it, and not of the address that a connection
		// happens to come from, of a machine that has several.
		o.Cluster.Advertise = c.Listen
	}
	var user *url.Userinfo
	if c.Secret != "" {
		o.Cluster.Username, o.Cluster.Password = "node", derive(c.Secret)
		user = url.UserPassword(o.Cluster.Username, o.Cluster.Password)
	}
	// As many routes as nodes: that is how many the first election waits for.
	for _, peer := range append(c.others(), c.Listen) {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: peer, User: user})
	}
	if c.TLS != nil {
		if o.Cluster.TLSConfig, err = c.TLS.config(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// derive makes a password of a secret that the server takes literally, whatever
// characters it has.
func derive(secret string) string {
	sum := sha256.Sum256([]byte("restante node\n" + secret))
	return hex.EncodeToString(sum[:])
}

// config reads the files. Both ends of a connection show a certificate.
func (t *TLS) config() (*tls.Config, error) {
	if t.CertFile == "" || t.KeyFile == "" || t.CAFile == "" {
		return nil, errors.New("tls needs certificate, key and ca: nodes know each other by certificates of one authority")
	}
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate and key: %w", err)
	}
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read ca: %s has no certificate in PEM", t.CAFile)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}
