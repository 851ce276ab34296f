package endpoint

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loopback is allowed by most tests, whose receivers are there.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// open returns an Endpoint that ends with the test.
func open(t *testing.T, c Config) *Endpoint {
	t.Helper()
	return openWith(t, c, nil)
}

func openWith(t *testing.T, c Config, resolver *net.Resolver) *Endpoint {
	t.Helper()
	e, err := newEndpoint(c, resolver)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// receive returns the URL of a receiver.
func receive(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// batch is a request as the sender makes it.
func batch() Request {
	return Request{Body: []byte(`[{"id":1}]`), ContentType: "application/json", Filename: "student.json", ID: "batch-1", Group: "student"}
}

// raw returns the URL of a receiver that reads the head of one request after the
// other and has them answered by hand.
func raw(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if err := readHead(conn); err == nil {
				answer(conn)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}

// readHead reads a request whose body is that of batch.
func readHead(conn net.Conn) error {
	var text strings.Builder
	one := make([]byte, 1)
	for !strings.HasSuffix(text.String(), "\r\n\r\n") {
		if _, err := conn.Read(one); err != nil {
			return err
		}
		text.Write(one)
	}
	_, err := io.CopyN(io.Discard, conn, int64(len(batch().Body)))
	return err
}

// check compares an answer without a status with what it should say.
func check(t *testing.T, a Answer, want Outcome, text string) {
	t.Helper()
	if a.Err == nil || a.Status != 0 || a.Outcome() != want || !strings.Contains(a.Err.Error(), text) {
		t.Errorf("Send = %d, %v, %v, want %v and an error with %q", a.Status, a.Err, a.Outcome(), want, text)
	}
	if a.Began.IsZero() || a.Method == "" || a.URL == "" {
		t.Errorf("Send = %+v, which lacks what was tried", a)
	}
}

// gone waits until a connection is closed from the other side.
func gone(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func ExampleEndpoint_Send() {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL, r.Header.Get("Webhook-Id"), body)
	}))
	defer receiver.Close()

	e, err := New(Config{URL: receiver.URL + "/api", AllowPrivate: loopback, Timeout: 10 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	a := e.Send(context.Background(), Request{Path: "students", Body: []byte("[]"), ContentType: "application/json", ID: "batch-1"})
	fmt.Println(a.Outcome(), a.Status, string(a.Body))
	// Output: ok 200 POST /api/students batch-1 []
}
