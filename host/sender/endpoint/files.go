package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"time"
)

// files is what is in the files that a Config names.
type files struct {
	roots *x509.CertPool // nil for those of the system
	own   []tls.Certificate
}

// maxFile is the largest file that is read: 1 MiB.
const maxFile = 1 << 20

func (c Config) readFiles() (*files, error) {
	f := &files{}
	if c.CAFile != "" {
		text, err := readFile(c.CAFile)
		if err != nil {
			return nil, wrong("ca", "can't be read: %w", err)
		}
		f.roots = x509.NewCertPool()
		if !f.roots.AppendCertsFromPEM(text) {
			return nil, wrong("ca", "has no certificate in it: %s must be a PEM file", c.CAFile)
		}
	}
	if c.CertFile == "" {
		return f, nil
	}
	certificate, err := readFile(c.CertFile)
	if err != nil {
		return nil, wrong("certificate", "can't be read: %w", err)
	}
	key, err := readFile(c.KeyFile)
	if err != nil {
		return nil, wrong("key", "can't be read: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		// The library's words tell of the form of the files alone.
		return nil, wrong("certificate", "and key can't be used together: %w", err)
	}
	f.own = []tls.Certificate{pair}
	return f, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has over %d bytes", path, maxFile)
	}
	return text, err
}

// tls returns the settings of connections. Their steps note what becomes of our own
// certificate.
func (f *files) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.roots, GetClientCertificate: f.certificate}
}

// certificate chooses the one that a server asks for; it is empty if there is none
// that it would take.
func (f *files) certificate(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	chosen := &tls.Certificate{}
	for i := range f.own {
		if asked.SupportsCertificate(&f.own[i]) == nil {
			chosen = &f.own[i]
		}
	}
	if s, ok := asked.Context().Value(stepsKey{}).(*steps); ok {
		s.asked(len(chosen.Certificate) > 0)
	}
	return chosen, nil
}

// expired says when our own certificate expired; "" if it did not.
func (f *files) expired(now time.Time) string {
	for _, pair := range f.own {
		if pair.Leaf != nil && now.After(pair.Leaf.NotAfter) {
			return day(pair.Leaf.NotAfter)
		}
	}
	return ""
}
