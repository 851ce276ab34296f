//go:build linux

package clustertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// storeBlock is the part of the configuration that makes a daemon the i-th node of a
// cluster.
func (f *fleet) storeBlock(i int) string {
	var peers []string
	for j, d := range f.daemons {
		if j != i {
			peers = append(peers, fmt.Sprintf("%q", d.route))
		}
	}
	tls := ""
	if f.network != nil {
		f.certify(i)
		tls = `
  tls {
    ca          = "ca.pem"
    certificate = "node.pem"
    key         = "node.key"
  }`
	}
	return fmt.Sprintf(`
store "cluster" {
  node   = %q
  listen = %q
  peers  = [%s]
  secret = "a secret of these nodes alone"%s
}
`, f.daemons[i].node, f.daemons[i].route, strings.Join(peers, ", "), tls)
}

// authority issues the certificates of nodes.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	a.certificate = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nodes"}, NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue returns a certificate in PEM.
func (a *authority) issue(t *testing.T, c *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// certify puts the certificate of a node into its folder.
func (f *fleet) certify(i int) {
	t := f.t
	t.Helper()
	if f.authority == nil {
		f.authority = newAuthority(t)
	}
	key := newKey(t)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	node := &x509.Certificate{
		SerialNumber: big.NewInt(int64(i) + 2), Subject: pkix.Name{CommonName: f.daemons[i].name}, NotAfter: f.authority.certificate.NotAfter,
		IPAddresses: []net.IP{net.ParseIP(f.network.address(i))}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for name, text := range map[string][]byte{
		"ca.pem":   f.authority.issue(t, f.authority.certificate, f.authority.key),
		"node.pem": f.authority.issue(t, node, key),
		"node.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}),
	} {
		if err := os.WriteFile(filepath.Join(f.daemons[i].dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// leader returns the daemon whose node leads the messages of a group.
func (f *fleet) leader(g host.GroupName) *daemon {
	f.t.Helper()
	leader := f.leaders()["restante_m_"+string(g)]
	if leader == nil {
		f.t.Fatalf("no daemon leads the group %s", g)
	}
	return leader
}

var newLeader = regexp.MustCompile(`new stream leader for '.*(restante_\w+)'`)

// leaders returns which daemon's node leads each stream: the last one that said so in
// its log.
func (f *fleet) leaders() map[string]*daemon {
	f.t.Helper()
	leaders, since := map[string]*daemon{}, map[string]time.Time{}
	for _, d := range f.daemons {
		for line := range strings.SplitSeq(d.log.String(), "\n") {
			found := newLeader.FindStringSubmatch(line)
			if found == nil {
				continue
			}
			var entry struct {
				At time.Time `json:"@timestamp"`
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				f.t.Fatal(err)
			}
			if stream := found[1]; entry.At.After(since[stream]) {
				leaders[stream], since[stream] = d, entry.At
			}
		}
	}
	return leaders
}

// gather makes one daemon the leader of everything: with one of the others gone, it is
// elected for what the third leads when that is killed and comes back too late to be.
func (f *fleet) gather(d *daemon) {
	f.t.Helper()
	others := f.others(d)
	others[0].stop()
	eventually(f.t, "daemon "+d.name+" leads everything", func() error {
		others[1].kill()
		f.start(others[1])
		for stream, leader := range f.leaders() {
			if leader != d {
				return fmt.Errorf("%s is led by %s", stream, leader.name)
			}
		}
		return nil
	})
	f.start(others[0])
}

// others returns the daemons but one.
func (f *fleet) others(d *daemon) (rest []*daemon) {
	return slices.DeleteFunc(slices.Clone(f.daemons), func(other *daemon) bool { return other == d })
}
