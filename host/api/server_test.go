package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/api"
)

func TestNewServerLimits(t *testing.T) {
	s := api.NewServer(http.NotFoundHandler(), hclog.NewNullLogger())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.ErrorLog == nil {
		t.Errorf("a limit is missing: %+v", s)
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	s := start(t, func(_ *api.Config, server *http.Server) { server.ReadHeaderTimeout = 100 * time.Millisecond })
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err = io.ReadAll(conn)
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		t.Errorf("the server still waits for the headers: %v", err)
	}
}

// simple is a client that sends all of its request before it reads, and reads
// until the connection ends.
func simple(t *testing.T, s *service, head, body string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	auth := &http.Request{Header: http.Header{}}
	auth.SetBasicAuth(api.APIUser, s.student)
	if _, err := fmt.Fprintf(conn, "%s\r\nHost: x\r\nAuthorization: %s\r\n\r\n%s", head, auth.Header.Get("Authorization"), body); err != nil {
		t.Fatalf("send: %v", err)
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if response.Close {
		if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
			t.Errorf("after the response: %q, %v, want a clean end", rest, err)
		}
	}
	return response, string(text)
}

func TestTooLargeEndsCleanly(t *testing.T) {
	s := start(t)
	const head = "POST " + api.Base + "/add/student HTTP/1.1\r\nContent-Type: application/json\r\n"
	large := strings.Repeat("9", 10_000_000)
	for name, request := range map[string][2]string{
		"length":  {head + "Content-Length: 10000000", large},
		"chunked": {head + "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large)},
		// One that asks first is not told to go on.
		"expect": {head + "Content-Length: 10000000\r\nExpect: 100-continue", ""},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := simple(t, s, request[0], request[1])
			if response.StatusCode != 413 || !response.Close || !strings.Contains(body, "4194304") {
				t.Errorf("status %d, close %v, body %s", response.StatusCode, response.Close, body)
			}
		})
	}
}

func TestChunkedBody(t *testing.T) {
	s := start(t)
	data := `"` + strings.Repeat("x", 100_000) + `"`
	response, body := simple(t, s, "POST "+api.Base+"/add/student HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked",
		fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", 5, data[:5], len(data)-5, data[5:]))
	if response.StatusCode != 201 || body != `{"id":1}` {
		t.Errorf("add = %d %s", response.StatusCode, body)
	}
	m, err := s.store.Message(t.Context(), "student", 1)
	if err != nil || string(m.Data) != data {
		t.Errorf("the stored message has %d bytes, %v, want %d", len(m.Data), err, len(data))
	}
}

func TestCutBody(t *testing.T) {
	s := start(t, func(_ *api.Config, server *http.Server) { server.ReadTimeout = 200 * time.Millisecond })
	response, body := simple(t, s, "POST "+api.Base+"/add/student HTTP/1.1\r\nContent-Length: 100", `{"a":`)
	if response.StatusCode != 400 || !strings.Contains(body, "did not arrive whole") {
		t.Errorf("add = %d %s", response.StatusCode, body)
	}
}

// Buffers are used again: what one request sends must never show up in the
// message of another.
func TestBuffersAreNotShared(t *testing.T) {
	s := start(t)
	const clients, each = 8, 25
	done := make(chan map[string]string, clients)
	for n := range clients {
		go func() {
			sent := map[string]string{}
			for i := range each {
				data := fmt.Sprintf(`"%d-%d-%s"`, n, i, strings.Repeat(string(rune('a'+n)), 37*i))
				a := s.do(t, call{method: "POST", path: "/add/student", key: s.student, body: data, header: map[string]string{"Content-Type": "application/json"}})
				sent[a.body] = data
			}
			done <- sent
		}()
	}
	total := 0
	for range clients {
		for answer, data := range <-done {
			total++
			var id host.ID
			if _, err := fmt.Sscanf(answer, `{"id":%d}`, &id); err != nil {
				t.Fatalf("answer %s: %v", answer, err)
			}
			if m, err := s.store.Message(t.Context(), "student", id); err != nil || string(m.Data) != data {
				t.Errorf("message %d = %s, %v, want %s", id, m.Data, err, data)
			}
		}
	}
	if total != clients*each {
		t.Errorf("%d messages, want %d", total, clients*each)
	}
}

func TestHealth(t *testing.T) {
	s := start(t)
	if a := s.do(t, call{method: "GET", path: "/healthz"}); a.status != 200 || a.body != "ok" {
		t.Errorf("healthz = %d %q", a.status, a.body)
	}
	if a := s.do(t, call{method: "GET", path: "/readyz"}); a.status != 200 || a.body != "ready" {
		t.Errorf("readyz = %d %q", a.status, a.body)
	}
	err := errors.Join(errors.New("the store takes no writes"), errors.New("the plugin folder can't be read."))
	s.notReady.Store(&err)
	check(t, s.do(t, call{method: "GET", path: "/readyz"}), 503, "not-ready", "the store takes no writes; the plugin folder can't be read")
	if a := s.do(t, call{method: "GET", path: "/healthz"}); a.status != 200 {
		t.Errorf("healthz = %d %q", a.status, a.body)
	}
}

func TestNewRefusesABadConfig(t *testing.T) {
	good := api.Config{Exchange: &host.Exchange{}, Keys: &host.Keys{}, Log: hclog.NewNullLogger()}
	for name, spoil := range map[string]func(*api.Config){
		"no exchange":      func(c *api.Config) { c.Exchange = nil },
		"no keys":          func(c *api.Config) { c.Keys = nil },
		"no log":           func(c *api.Config) { c.Log = nil },
		"a long wait":      func(c *api.Config) { c.MaxWait = time.Hour },
		"a negative wait":  func(c *api.Config) { c.MaxWait = -1 },
		"a negative count": func(c *api.Config) { c.MaxWaiting = -1 },
	} {
		c := good
		spoil(&c)
		if _, err := api.New(c); err == nil {
			t.Errorf("%s: New = nil error", name)
		}
	}
	if _, err := api.New(good); err != nil {
		t.Errorf("New = %v", err)
	}
}
