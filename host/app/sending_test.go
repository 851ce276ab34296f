package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/sender/endpoint"
)

// TestElsewhere has test batches go where they may, and nowhere else.
func TestElsewhere(t *testing.T) {
	var got []http.Header
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.Header) }))
	defer receiver.Close()
	_, port, _ := strings.Cut(receiver.Listener.Addr().String(), ":")
	var o outlets
	apply, err := o.prepare(map[host.GroupName]endpoint.Config{
		"inside": {
			URL: receiver.URL, Bearer: "sesame-sesame", Header: map[string]string{"X-Tenant": "sesame-sesame"},
			AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		},
		"outside": {URL: "https://receiver.example", Bearer: "sesame-sesame", Proxy: receiver.URL},
	})
	if err != nil {
		t.Fatal(err)
	}
	apply()
	defer o.close()
	const nothing = ""
	for _, c := range []struct {
		group host.GroupName
		url   string
		local bool
		want  string
	}{
		{"inside", receiver.URL, false, nothing},
		{"inside", "http://localhost:" + port, false, nothing},
		{"outside", receiver.URL, true, nothing},
		{"none", receiver.URL, true, nothing},
		{"outside", receiver.URL, false, "of this machine"},
		{"none", receiver.URL, false, "of this machine"},
		{"outside", "http://localhost:" + port, false, "of this machine"},
		{"none", "https://localhost:" + port, false, "of this machine"},
		{"none", "https://[::1]:" + port, false, "of this machine"},
		{"none", "https://[::ffff:127.0.0.1]:" + port, false, "of this machine"},
		{"none", "https://127.1:" + port, false, "neither an address nor a name"},
		{"inside", "http://169.254.169.254/latest/meta-data/", false, "metadata"},
		{"inside", "http://169.254.169.254/latest/meta-data/", true, "metadata"},
		{"inside", "http://10.0.0.1/", false, "is private"},
		{"inside", "http://10.0.0.1/", true, "is private"},
		{"none", "http://1.1.1.1/", false, "use https://"},
		{"none", "https://ann:sesame@1.1.1.1/", false, "has a user in it"},
		{"none", "file:///etc/passwd", false, "must be a URL"},
		{"none", "", false, "must be a URL"},
	} {
		var said string
		e, err := o.elsewhere(c.group, c.url, c.local)
		if err == nil {
			if a := e.Send(t.Context(), endpoint.Request{ID: "test-1"}); a.Outcome() != endpoint.OK {
				err = fmt.Errorf("refused %v: %w", a.Outcome() == endpoint.Block, a.Err)
			}
		}
		if err != nil {
			said = err.Error()
		}
		if (said == "") != (c.want == nothing) || !strings.Contains(said, c.want) || strings.Contains(said, "refused false") {
			t.Errorf("a test of %q to %s, local %v: %q, want %q", c.group, c.url, c.local, said, c.want)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d requests arrived", len(got))
	}
	if text := fmt.Sprint(got); strings.Contains(text, "sesame") {
		t.Errorf("secrets of another endpoint went along: %s", text)
	}
}
