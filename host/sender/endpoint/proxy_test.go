package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// proxy returns the address of a proxy that connects to a receiver whatever it is
// asked for, unless it says why not. It notes what it was asked for.
func proxy(t *testing.T, receiver string, refuse int, asked *[]string) string {
	t.Helper()
	url := receive(t, func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
		if refuse != 0 {
			w.WriteHeader(refuse)
			return
		}
		out, err := net.Dial("tcp", receiver)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		in, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(in, "HTTP/1.1 200 Connected\r\n\r\n")
		back := make(chan struct{})
		go func() {
			defer close(back)
			_, _ = io.Copy(in, out)
			_ = in.Close()
		}()
		_, _ = io.Copy(out, in)
		_ = out.Close()
		<-back
	})
	return strings.TrimPrefix(url, "http://")
}

func TestProxy(t *testing.T) {
	ca := newAuthority(t)
	url := secure(t, &tls.Config{Certificates: []tls.Certificate{ca.issue(&x509.Certificate{DNSNames: []string{"receiver.test"}})}})
	var asked []string
	by := proxy(t, strings.TrimPrefix(url, "https://"), 0, &asked)

	// Nobody but the proxy knows the name. Its own address is the operator's choice.
	e := open(t, Config{URL: "https://receiver.test", CAFile: ca.file, Proxy: "http://user:hushhush@" + by})
	a := e.Send(t.Context(), batch())
	if a.Outcome() != OK || a.Address != by {
		t.Errorf("Send = %d, %v at %s", a.Status, a.Err, a.Address)
	}
	if want := "CONNECT receiver.test:443 Basic dXNlcjpodXNoaHVzaA=="; strings.Join(asked, "\n") != want {
		t.Errorf("the proxy was asked %q, want %q", asked, want)
	}
	e.Close()

	for status, c := range map[int]struct {
		want Outcome
		text string
	}{
		407: {Block, "the proxy wants a user and a password"},
		403: {Block, "the proxy does not connect to receiver.test: it answered 403 Forbidden"},
		502: {Retry, "the proxy could not connect to receiver.test: it answered 502 Bad Gateway"},
	} {
		e := open(t, Config{URL: "https://receiver.test", Proxy: "http://" + proxy(t, "", status, &asked)})
		check(t, e.Send(t.Context(), batch()), c.want, c.text)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	e = open(t, Config{URL: "https://receiver.test", Proxy: "http://" + l.Addr().String()})
	check(t, e.Send(t.Context(), batch()), Retry, "the proxy can't be reached")
}

func TestProxyOfTheEnvironment(t *testing.T) {
	var asked []string
	by := proxy(t, "", http.StatusBadGateway, &asked)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		t.Setenv(name, "http://"+by)
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	none := names(t, func(string, int) []string { return nil })
	check(t, openWith(t, Config{URL: "https://receiver.test"}, none).Send(t.Context(), batch()), Retry, "has no address")
	if len(asked) != 0 {
		t.Errorf("the environment's proxy was asked %q", asked)
	}
	check(t, openWith(t, Config{URL: "https://receiver.test", Proxy: "environment"}, none).Send(t.Context(), batch()), Retry, "the proxy could not connect")
	if len(asked) != 1 {
		t.Errorf("the environment's proxy was asked %q", asked)
	}
	// What NO_PROXY leaves out is dialled, and so it is checked.
	t.Setenv("NO_PROXY", "receiver.test")
	t.Setenv("no_proxy", "receiver.test")
	private := names(t, func(string, int) []string { return []string{"10.0.0.5"} })
	check(t, openWith(t, Config{URL: "https://receiver.test", Proxy: "environment"}, private).Send(t.Context(), batch()), Block, "10.0.0.5 is private")
}
