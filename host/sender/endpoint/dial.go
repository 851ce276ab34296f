package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const (
	// connectTimeout is for looking up a name and connecting to its addresses.
	connectTimeout = 10 * time.Second
	// handshakeTimeout is for TLS.
	handshakeTimeout = 10 * time.Second
	// idleTimeout is how long a connection is kept for the next batch.
	idleTimeout = 90 * time.Second
	// pingAfter is when an HTTP/2 connection that is silent is asked whether it
	// lives, and pingTimeout how long it has to say so.
	pingAfter   = 15 * time.Second
	pingTimeout = 10 * time.Second
	// maxAnswerHeaders is the most bytes of headers that are read, 1xx answers
	// included.
	maxAnswerHeaders = 64 << 10
)

// environment is the Config.Proxy that stands for the environment's.
const environment = "environment"

func (c Config) checkProxy() error {
	if c.Proxy == "" || c.Proxy == environment {
		return nil
	}
	u, err := url.Parse(c.Proxy)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
		return wrong("proxy", "must be a URL such as \"http://proxy.example:3128\", or %q", environment)
	}
	return nil
}

// proxy returns the proxy on the way to a URL; nil if there is none.
func (c Config) proxy(to *url.URL) (*url.URL, error) {
	switch c.Proxy {
	case "":
		return nil, nil
	case environment:
		proxy, err := httpproxy.FromEnvironment().ProxyFunc()(to)
		if err != nil {
			return nil, wrong("proxy", "can't be taken from the environment: HTTPS_PROXY or HTTP_PROXY is no URL")
		}
		return proxy, nil
	}
	return url.Parse(c.Proxy)
}

// newTransport returns the way to one URL. The setting names it in errors.
func (c Config) newTransport(setting string, to *url.URL, files *files, resolver *net.Resolver) (*http.Transport, error) {
	proxy, err := c.proxy(to)
	if err != nil {
		return nil, err
	}
	d := &dialer{Dialer: net.Dialer{Timeout: connectTimeout, Resolver: resolver}}
	if proxy == nil {
		g := c.gate(to)
		d.gate = &g
	} else if err := c.gate(to).checkProxied(to.Hostname()); err != nil {
		return nil, wrong(setting, "can't be used: %w", err)
	}
	t := &http.Transport{
		Proxy:                  http.ProxyURL(proxy),
		DialContext:            d.dial,
		TLSClientConfig:        files.tls(),
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		DisableCompression:     true, // a small answer could grow without bounds
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    2,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
			if answer.StatusCode != http.StatusOK {
				return &proxyError{answer.StatusCode}
			}
			return nil
		},
	}
	return t, nil
}

// proxyError says that a proxy does not connect us.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy answered %s", statusText(e.status))
}

// statusText is a status for people, such as "403 Forbidden".
func statusText(status int) string {
	return fmt.Sprintf("%d %s", status, cmp.Or(http.StatusText(status), "(unknown)"))
}

// dialer connects, and asks the gate about every address at the last moment: when
// the name was looked up, the socket is made, and connect is the next call. So no
// name can show one address to the check and another to the connection.
type dialer struct {
	net.Dialer
	gate *gate // nil for the way to a proxy, which the operator chose
}

// errUnreachable says that a name has addresses which may be connected to, and that
// none of them answers.
var errUnreachable = errors.New("none of its addresses can be reached")

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var mu sync.Mutex // addresses of both families are tried at the same time
	tried := false
	one := d.Dialer
	one.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("check the address %s: %w", address, err)
		}
		if d.gate != nil {
			if err := d.gate.check(at.Addr()); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		tried = true
		return nil
	}
	conn, err := one.DialContext(ctx, network, address)
	mu.Lock()
	defer mu.Unlock()
	if _, refused := errors.AsType[*refusedError](err); refused && tried {
		return nil, fmt.Errorf("dial %s: %w", address, errUnreachable)
	}
	return conn, err
}
