package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// errTimeout is the cause of a context that ended because an attempt took too long.
var errTimeout = errors.New("the attempt took too long")

// trouble is why there is no answer, for people.
type trouble struct {
	text      string
	permanent bool
	// retryAfter is how long a token server wants to be left alone.
	retryAfter time.Duration
}

func (t *trouble) Error() string { return t.text }

func passing(format string, args ...any) *trouble {
	return &trouble{text: fmt.Sprintf(format, args...)}
}

func lasting(format string, args ...any) *trouble {
	return &trouble{text: fmt.Sprintf(format, args...), permanent: true}
}

// call is one exchange with a server, for what can be said if it fails.
type call struct {
	host    string // that of the URL, with its port if that is not the usual one
	timeout time.Duration
	files   *files
	now     func() time.Time
	steps   steps
}

// explain says what an error of the transport means.
func (c *call) explain(ctx context.Context, err error) *trouble {
	if refused, ok := errors.AsType[*refusedError](err); ok {
		return lasting("%s can't be sent to: %v", c.host, refused)
	}
	if ctx.Err() != nil {
		return c.explainEnd(ctx)
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return explainName(name)
	}
	if proxy, ok := errors.AsType[*proxyError](err); ok {
		return explainProxy(c.host, proxy)
	}
	if t := c.explainTLS(err); t != nil {
		return t
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return passing("the proxy can't be reached: %v", bare(op.Err))
	}
	switch {
	case errors.Is(err, errUnreachable):
		return passing("%s can't be reached: %v", c.host, errUnreachable)
	case errors.Is(err, syscall.ECONNREFUSED):
		return passing("%s refuses connections: nothing listens there at %s", c.host, remote(err))
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return passing("there is no way to %s at %s", c.host, remote(err))
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return c.explainTimeout()
	}
	if t := c.explainCertificate(); t != nil {
		return t
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return passing("%s closed the connection without an answer", c.host)
	}
	return passing("%s gave no answer that can be read: %v", c.host, bare(err))
}

// explainEnd says why the context of a call ended.
func (c *call) explainEnd(ctx context.Context) *trouble {
	if !errors.Is(context.Cause(ctx), errTimeout) {
		return passing("the attempt was called off before %s answered", c.host)
	}
	switch connected, written := c.steps.done(); {
	case !connected:
		return passing("%s could not be reached within %s", c.host, seconds(c.timeout))
	case !written:
		return passing("%s did not take in the whole request within %s", c.host, seconds(c.timeout))
	}
	return passing("%s did not answer within %s", c.host, seconds(c.timeout))
}

// explainTimeout says what the limits on connecting mean.
func (c *call) explainTimeout() *trouble {
	if connected, _ := c.steps.done(); connected {
		return passing("%s stopped answering", c.host)
	}
	return passing("%s could not be reached within %s", c.host, seconds(connectTimeout))
}

func explainName(err *net.DNSError) *trouble {
	if err.IsNotFound {
		return passing("the name %s has no address", err.Name)
	}
	return passing("the name %s could not be looked up: the name server does not answer as it should", err.Name)
}

func explainProxy(host string, err *proxyError) *trouble {
	switch {
	case err.status == http.StatusProxyAuthRequired:
		return lasting("the proxy wants a user and a password, or other ones: put them into proxy, as http://USER:PASSWORD@HOST:PORT")
	case err.status >= 400 && err.status <= 499:
		return lasting("the proxy does not connect to %s: it answered %s", host, statusText(err.status))
	}
	return passing("the proxy could not connect to %s: it answered %s", host, statusText(err.status))
}

// explainTLS says what went wrong in a TLS handshake; nil if nothing did.
func (c *call) explainTLS(err error) *trouble {
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if string(header.RecordHeader[:]) == "HTTP/" {
			return lasting("%s does not speak TLS there, but plain HTTP: see whether the port is right", c.host)
		}
		return lasting("%s does not speak TLS there: see whether the port is right", c.host)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return c.explainAlert(op.Err)
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return lasting("%s answers with a certificate for %s and not for that name", c.host, certified(name.Certificate))
	}
	if bad, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return c.explainInvalid(bad)
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		issuer := "somebody"
		if cert := unknown.Cert; cert != nil && cert.Issuer.String() != "" {
			issuer = cert.Issuer.String()
		}
		return lasting("%s answers with a certificate that was issued by %s, who is not trusted: name the file of that authority with ca in the endpoint block",
			c.host, issuer)
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return lasting("%s answers with a certificate that can't be trusted: %v", c.host, bad.Err)
	}
	return nil
}

// explainInvalid says what is wrong with a certificate. Dates heal themselves: a
// receiver renews its certificate without us.
func (c *call) explainInvalid(bad x509.CertificateInvalidError) *trouble {
	if bad.Reason == x509.Expired && bad.Cert != nil {
		if now := c.now(); now.Before(bad.Cert.NotBefore) {
			return passing("%s answers with a certificate that is not valid before %s: see whether the clock of this machine is right",
				c.host, day(bad.Cert.NotBefore))
		}
		return passing("%s answers with a certificate that expired on %s", c.host, day(bad.Cert.NotAfter))
	}
	return lasting("%s answers with a certificate that can't be trusted: %v", c.host, bad)
}

// lastingAlerts are those that the same two certificates and versions always meet
// (RFC 8446, section 6.2).
var lastingAlerts = []tls.AlertError{
	40,  // handshake_failure
	42,  // bad_certificate
	43,  // unsupported_certificate
	44,  // certificate_revoked
	45,  // certificate_expired
	46,  // certificate_unknown
	48,  // unknown_ca
	49,  // access_denied
	70,  // protocol_version
	71,  // insufficient_security
	116, // certificate_required
}

// explainAlert says what a server told us before it broke off the handshake.
func (c *call) explainAlert(alert error) *trouble {
	text := strings.TrimPrefix(alert.Error(), "tls: ")
	if date := c.files.expired(c.now()); date != "" {
		return lasting("%s refuses the TLS connection (%s): our certificate expired on %s; put a new one into certificate and key", c.host, text, date)
	}
	for _, a := range lastingAlerts {
		if alert.Error() != a.Error() { // the type of alerts that come is not exported
			continue
		}
		if len(c.files.own) == 0 {
			return lasting("%s refuses the TLS connection (%s): if it wants a certificate of us, set certificate and key in the endpoint block", c.host, text)
		}
		return lasting("%s refuses the TLS connection (%s): ask its operator whether our certificate is known there", c.host, text)
	}
	return passing("%s broke off the TLS connection (%s)", c.host, text)
}

// explainCertificate guesses why a connection broke on which the server had asked for
// a certificate of ours: with TLS 1.3 its reason comes too late to be seen by HTTP/2.
// nil if it did not ask.
func (c *call) explainCertificate() *trouble {
	wanted, given := c.steps.certificate()
	date := c.files.expired(c.now())
	switch {
	case !wanted:
		return nil
	case date != "":
		return lasting("%s asked for our certificate, which expired on %s, and closed the connection: put a new one into certificate and key", c.host, date)
	case given:
		return passing("%s asked for our certificate, and closed the connection: ask its operator whether it is known there", c.host)
	case len(c.files.own) > 0:
		return passing("%s asked for a certificate of us by authorities that have not issued ours, and closed the connection: see whether certificate and key are right", c.host)
	}
	return passing("%s asked for a certificate of us, which there is not, and closed the connection: set certificate and key in the endpoint block", c.host)
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// bare is an error without what wraps it, which may quote URLs.
func bare(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// remote is the address in a network error.
func remote(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return op.Addr.String()
	}
	return "its address"
}

// certified are the names that a certificate is for.
func certified(c *x509.Certificate) string {
	all := c.DNSNames
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	switch {
	case len(all) == 0:
		return "no name"
	case len(all) > 3:
		return strings.Join(all[:3], ", ") + " …"
	}
	return strings.Join(all, ", ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// seconds is a time for people: 60s rather than 1m0s.
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}
