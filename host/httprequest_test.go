package host_test

import (
	"strings"
	"testing"

	"github.com/restante/restante/host"
)

func TestHTTPRequestCheck(t *testing.T) {
	header := func(name, value string) host.HTTPRequest {
		return host.HTTPRequest{Headers: []host.HTTPHeader{{Name: name, Value: value}}}
	}
	for _, c := range []struct {
		name string
		r    host.HTTPRequest
		want string // in the error; empty for none
	}{
		{"zero", host.HTTPRequest{}, ""},
		{"all", host.HTTPRequest{Method: "PUT", URL: "/a/b%2Fc?d=e", Headers: []host.HTTPHeader{{Name: "X-A", Value: "b"}}}, ""},
		{"relative", host.HTTPRequest{URL: "../x"}, ""},
		{"query", host.HTTPRequest{URL: "?x=y"}, ""},
		{"method", host.HTTPRequest{Method: "CONNECT"}, "method"},
		{"lower case", host.HTTPRequest{Method: "post"}, "method"},
		{"elsewhere", host.HTTPRequest{URL: "https://evil.example/"}, "configuration says where"},
		{"another host", host.HTTPRequest{URL: "//evil.example/"}, "configuration says where"},
		{"backslash", host.HTTPRequest{URL: `/\evil.example/`}, "configuration says where"},
		{"another scheme", host.HTTPRequest{URL: "file:x"}, "configuration says where"},
		{"line end", host.HTTPRequest{URL: "/a\r\nb"}, "malformed"},
		{"fragment", host.HTTPRequest{URL: "/a#b"}, "fragment"},
		{"long", host.HTTPRequest{URL: "/" + strings.Repeat("a", 9000)}, "at most"},
		{"host", header("Host", "evil.example"), "not the plugin's"},
		{"key", header("idempotency-key", "1"), "not the plugin's"},
		{"bad name", header("X A", "1"), "not the name"},
		{"no name", header("", "1"), "not the name"},
		{"split", header("X-A", "1\r\nX-B: 2"), "printable"},
		{"large", header("X-A", strings.Repeat("a", 40<<10)), "at most"},
		{"many", host.HTTPRequest{Headers: make([]host.HTTPHeader, 101)}, "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.r.Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check() = %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzHTTPRequest(f *testing.F) {
	f.Add("POST", "/a?b=c", "X-A", "b")
	f.Fuzz(func(t *testing.T, method, url, name, value string) {
		_ = host.HTTPRequest{Method: method, URL: url, Headers: []host.HTTPHeader{{Name: name, Value: value}}}.Check()
	})
}
