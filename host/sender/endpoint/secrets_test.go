package endpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// TestSecretsStayInside has a receiver quote all that it gets, in the status line,
// the headers and the body, and puts all that comes back into a log.
func TestSecretsStayInside(t *testing.T) {
	quote := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for name, values := range r.Header {
			w.Header()["X-Quoted-"+name] = values
		}
		w.Header().Set("X-Url", r.URL.String())
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s %s %s ", r.URL, user, password)
		_ = json.NewEncoder(w).Encode(r.Header)
	}
	url := receive(t, quote)
	broken := raw(t, func(conn net.Conn) { fmt.Fprintf(conn, "HTTP/1.1 hush/query\r\n\r\n") })
	for name, c := range map[string]Config{
		"bearer": {Bearer: "hush-bearer"},
		"basic":  {Basic: &Basic{"restante", "hush-password"}},
		"header": {Header: map[string]string{"X-Api-Key": "hush-header"}},
		"cookie": {Header: map[string]string{"cookie": "a=hush-cookie"}},
		"signed": {Secrets: []string{secret(24)}},
		"proxy":  {Proxy: "http://user:hush-proxy@" + strings.TrimPrefix(url, "http://")},
	} {
		for _, to := range []string{url, broken, "http://127.0.0.1:1"} {
			c.URL, c.AllowPrivate = to+"/api?key=hush%2Fquery", loopback
			e := open(t, c)
			a := e.Send(t.Context(), batch())
			var log strings.Builder
			logger := hclog.New(&hclog.LoggerOptions{Output: &log})
			logger.Error("sent", "answer", a, "config", c, "endpoint", e, "error", a.Err)
			fmt.Fprintf(&log, "%v %+v %#v %s %v", c, c, c, e, &c)
			text, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			all := log.String() + string(text) + string(a.Body) + fmt.Sprint(a)
			for _, s := range append(c.secrets(), "hush") {
				if s != "" && strings.Contains(all, s) {
					t.Errorf("%s: %q got out: %s", name, s, all)
				}
			}
			if to == url && c.Proxy == "" && (a.Status != 200 || !strings.Contains(string(a.Body), "[hidden]")) {
				t.Errorf("%s: Send = %d, %v, %s", name, a.Status, a.Err, a.Body)
			}
		}
	}
}

func TestCut(t *testing.T) {
	s := newSecrets("hushhush", "hush", "sh", "a b/c")
	for _, c := range []struct {
		body, want string
		limit      int
	}{
		{"", "", 10},
		{"plain", "plain", 10},
		{"a hushhush b", "a [hidden] b", 100},
		{"a hush b sh", "a [hidden] b sh", 100},
		{"hushhush", "[hid", 4},
		{"123hushhush4", "123[hidd", 8},
		{"1234567hushhush", "1234567[", 8},
		{"a b/c a+b%2Fc a%20b%2Fc", "[hidden] [hidden] [hidden]", 100},
	} {
		if got := string(s.cut([]byte(c.body), c.limit)); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.body, c.limit, got, c.want)
		}
	}
}
