package endpoint

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/restante/restante/host"
)

// Config is what an operator decides about a receiver. It holds secrets, which
// printing it does not show.
type Config struct {
	// URL is where batches are sent, and the prefix of where a plugin can send
	// them. It has no user or fragment. With http:// it must lead to an address of
	// AllowPrivate, since others could read along elsewhere.
	URL string
	// Method is POST, PUT, PATCH or DELETE; empty is POST. A plugin may choose
	// another of them.
	Method string
	// Header is sent with every request and wins over what a plugin says.
	Header map[string]string

	// Basic, Bearer and OAuth2 say who we are; at most one is set.
	Basic  *Basic
	Bearer string
	OAuth2 *OAuth2

	// Secrets sign requests as Standard Webhooks has it
	// (https://www.standardwebhooks.com): "whsec_" and base64 of 24 to 64 bytes.
	// The newest is first; there are at most two, so that receivers can change
	// from one to the other.
	Secrets []string

	// CAFile is a PEM file with the certificates that the receiver's must be issued
	// by; empty takes those of the system. CertFile and KeyFile are our own
	// certificate. They hold for the token server too.
	CAFile, CertFile, KeyFile string
	// Proxy is the URL of a proxy (http, https or socks5), "environment" for what
	// HTTPS_PROXY, HTTP_PROXY and NO_PROXY say when New is called, or empty for none.
	// A proxy looks names up itself, so then only the addresses that are written in a
	// URL are checked, and the proxy has to guard its network.
	Proxy string

	// Timeout is how long a whole attempt may take; zero is DefaultTimeout, and an
	// hour is the most. Connecting and the TLS handshake have ten seconds each of it.
	Timeout time.Duration
	// AllowPrivate are addresses that may be connected to though they are not public.
	AllowPrivate []netip.Prefix
	// MaxAnswer is how many bytes of an answer's body are kept; zero is
	// DefaultMaxAnswer, and 1 MiB is the most.
	MaxAnswer int
}

// Basic is a name and password for HTTP Basic authentication (RFC 7617).
type Basic struct{ User, Password string }

// OAuth2 is how tokens are got by the client credentials grant (RFC 6749, section
// 4.4).
type OAuth2 struct {
	// TokenURL follows the same rules as Config.URL.
	TokenURL string
	// ClientID and ClientSecret are sent by HTTP Basic, or in the body to a server
	// that refuses that.
	ClientID, ClientSecret string
	// Scopes are asked for; they may be empty.
	Scopes []string
	// Audience is sent as "audience" to servers that want it.
	Audience string
}

// Defaults of a Config.
const (
	DefaultTimeout   = 60 * time.Second
	DefaultMaxAnswer = 4 << 10
)

const (
	maxTimeout = time.Hour
	// maxBody is how much of an answer is read at all: 1 MiB.
	maxBody = 1 << 20
)

// SettingError is what Check and New find wrong with a setting.
type SettingError struct {
	// Setting is its name in the operator's block, such as "url" or
	// "oauth2.token_url".
	Setting string
	// Err says what is wrong, and begins with the setting.
	Err error
}

func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *SettingError) Unwrap() error { return e.Err }

func wrong(setting, format string, args ...any) error {
	return &SettingError{setting, fmt.Errorf(setting+" "+format, args...)}
}

// Format keeps secrets out of logs.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "endpoint "+shownURL(c.URL)) }

// Check returns a *SettingError that says what is wrong with c. It does not look
// at files.
func (c Config) Check() error {
	return firstOf(
		func() error { return c.checkURL("url", c.URL) },
		func() error { return checkMethod("method", c.Method) },
		c.checkHeader,
		c.checkCredentials,
		func() error { _, err := c.signer(); return err },
		c.checkFiles,
		c.checkProxy,
		c.checkBounds,
	)
}

func firstOf(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func checkMethod(setting, method string) error {
	switch method {
	case "", http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return nil
	}
	return wrong(setting, "is %q; use POST, PUT, PATCH or DELETE", method)
}

func (c Config) checkFiles() error {
	if (c.CertFile == "") != (c.KeyFile == "") {
		return wrong("certificate", "and key belong together: set both or none")
	}
	return nil
}

func (c Config) checkBounds() error {
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		return wrong("timeout", "is %s; it must be more than 0s and at most 1h", c.Timeout)
	}
	if c.MaxAnswer < 0 || c.MaxAnswer > maxBody {
		return wrong("max_answer", "is %d; it must be from 1 to %d bytes", c.MaxAnswer, maxBody)
	}
	for _, p := range c.AllowPrivate {
		if !p.IsValid() || p.Addr().Is4In6() {
			return wrong("allow_private", "has %q, which is not a range such as \"10.0.0.0/8\" or \"fd00::/8\"", p)
		}
	}
	return nil
}

// signer returns what signs with the secrets.
func (c *Config) signer() (*host.Signer, error) {
	s, err := host.NewSigner(c.Secrets)
	if err != nil {
		return nil, wrong("secrets", "%w", err)
	}
	return s, nil
}
