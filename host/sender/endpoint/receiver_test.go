package endpoint

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestSend sees what a receiver gets, and what is made of its answer.
func TestSend(t *testing.T) {
	var got *http.Request
	var body []byte
	url := receive(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(r.Context())
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Receipt", "42")
		w.Header().Set("Set-Cookie", "session=1")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "taken")
	})
	e := open(t, Config{URL: url + "/api?tenant=t", AllowPrivate: loopback, Header: map[string]string{"X-Tenant": "school", "x-kind": "ours"}})
	r := batch()
	r.Method, r.Path = "PUT", "students?part=1"
	r.Header = http.Header{"X-Kind": {"theirs"}, "X-Batch": {"a", "b"}}
	r.Time = time.Unix(1_700_000_000, 0)
	a := e.Send(t.Context(), r)
	if a.Status != http.StatusAccepted || a.Outcome() != OK || string(a.Body) != "taken" || a.Err != nil {
		t.Fatalf("Send = %d, %v, %q, %v", a.Status, a.Outcome(), a.Body, a.Err)
	}
	if a.Method != "PUT" || a.URL != url+"/api/students?tenant=…&part=…" || a.Address != strings.TrimPrefix(url, "http://") {
		t.Errorf("Send = %s %s at %s", a.Method, a.URL, a.Address)
	}
	if a.Began.IsZero() || a.Took <= 0 || a.Header.Get("X-Receipt") != "42" || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("Send = %v, %v, %v", a.Began, a.Took, a.Header)
	}
	if got.Method != "PUT" || got.URL.String() != "/api/students?tenant=t&part=1" || string(body) != string(r.Body) || got.ContentLength != int64(len(r.Body)) {
		t.Errorf("the receiver got %s %s, %d bytes, %q", got.Method, got.URL, got.ContentLength, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Content-Disposition": "attachment; filename=student.json", "Restante-Group": "student",
		"Webhook-Id": "batch-1", "Idempotency-Key": "batch-1", "Webhook-Timestamp": "1700000000", "Webhook-Signature": "",
		"X-Tenant": "school", "X-Kind": "ours", "X-Batch": "a,b", "User-Agent": "restante", "Accept-Encoding": "", "Authorization": "",
	} {
		if value := strings.Join(got.Header[name], ","); value != want {
			t.Errorf("the receiver got %s: %q, want %q", name, value, want)
		}
	}
}

func TestCredentials(t *testing.T) {
	var got string
	url := receive(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") })
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"basic":  {Config{Basic: &Basic{"restante", "p:w"}}, "Basic cmVzdGFudGU6cDp3"},
		"bearer": {Config{Bearer: "abcdef"}, "Bearer abcdef"},
		"header": {Config{Header: map[string]string{"authorization": "Key abcdef"}}, "Key abcdef"},
	} {
		c.config.URL, c.config.AllowPrivate = url, loopback
		if a := open(t, c.config).Send(t.Context(), batch()); a.Outcome() != OK || got != c.want {
			t.Errorf("%s: Send = %v, Authorization = %q, want %q", name, a.Err, got, c.want)
		}
	}
}

func TestStatus(t *testing.T) {
	for status, want := range map[int]Outcome{
		200: OK, 201: OK, 204: OK, 299: OK,
		301: Block, 302: Block, 304: Block, 307: Block,
		400: Block, 401: Block, 403: Block, 404: Block, 408: Retry, 409: Block, 410: Block, 413: Block, 422: Block, 425: Retry, 429: Retry,
		500: Retry, 502: Retry, 503: Retry, 504: Retry, 599: Retry, 600: Block, 999: Block,
	} {
		url := raw(t, func(conn net.Conn) {
			fmt.Fprintf(conn, "HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\nLocation: http://169.254.169.254/latest\r\n\r\n", status)
		})
		a := open(t, Config{URL: url, AllowPrivate: loopback}).Send(t.Context(), batch())
		if a.Status != status || a.Outcome() != want || a.Err != nil {
			t.Errorf("Send = %d, %v, %v, want %d, %v", a.Status, a.Outcome(), a.Err, status, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                              0,
		"120":                           2 * time.Minute,
		"0":                             0,
		"864000":                        24 * time.Hour,
		"99999999999999999999999":       24 * time.Hour,
		"-5":                            0,
		"soon":                          0,
		"Sun, 01 Mar 2026 12:05:00 GMT": 5 * time.Minute,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
		"Sun, 01 Mar 2076 12:00:00 GMT": 24 * time.Hour,
	} {
		url := receive(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", text)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		e := open(t, Config{URL: url, AllowPrivate: loopback})
		e.now = func() time.Time { return now }
		if a := e.Send(t.Context(), batch()); a.RetryAfter != want || a.Outcome() != Retry {
			t.Errorf("Retry-After: %s gives %v, %v, want %v", text, a.RetryAfter, a.Outcome(), want)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var other atomic.Int32
	to := receive(t, func(http.ResponseWriter, *http.Request) { other.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := receive(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, status) })
		a := open(t, Config{URL: url, AllowPrivate: loopback, Bearer: "abcdef"}).Send(t.Context(), batch())
		if a.Status != status || a.Outcome() != Block || a.Header.Get("Location") != to || other.Load() != 0 {
			t.Errorf("Send = %d, %v, and the other got %d requests", a.Status, a.Outcome(), other.Load())
		}
	}
}

// TestMisbehaviour has receivers do what receivers do.
func TestMisbehaviour(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	for name, c := range map[string]struct {
		answer  func(net.Conn)
		timeout time.Duration
		fault   string // or else there is a status
		body    string
	}{
		"silence":               {answer: gone, timeout: 200 * time.Millisecond, fault: "did not answer within 200ms"},
		"slow headers":          {answer: drip("HTTP/1.1 200 OK\r\nX: "), timeout: 300 * time.Millisecond, fault: "did not answer within 300ms"},
		"slow body":             {answer: drip(head + "\r\nbegin"), timeout: 300 * time.Millisecond, body: "begin"},
		"reset in the body":     {answer: say(head + "Content-Length: 1000\r\n\r\nbegin"), body: "begin"},
		"closed at once":        {answer: say(""), fault: "closed the connection without an answer"},
		"closed in the headers": {answer: say("HTTP/1.1 200 OK\r\nX: y\r\n"), fault: "closed the connection without an answer"},
		"reset":                 {answer: reset, fault: "closed the connection without an answer"},
		"not HTTP":              {answer: say("SSH-2.0-OpenSSH_9.9\r\n\r\n"), fault: "gave no answer that can be read"},
		"endless body":          {answer: endless(head+"\r\n", "0123456789abcdef"), body: strings.Repeat("0123456789abcdef", DefaultMaxAnswer/16)},
		"endless headers":       {answer: endless("HTTP/1.1 200 OK\r\n", "X: 0123456789abcdef\r\n"), fault: "gave no answer that can be read"},
		"one endless header":    {answer: endless("HTTP/1.1 200 OK\r\nX: ", "0123456789abcdef"), fault: "gave no answer that can be read"},
		"endless 1xx":           {answer: endless("", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"), fault: "gave no answer that can be read"},
		"endless 100":           {answer: endless("", "HTTP/1.1 100 Continue\r\n\r\n"), fault: "gave no answer that can be read"},
		"a few 1xx":             {answer: say("HTTP/1.1 103 Early Hints\r\n\r\n" + "HTTP/1.1 102 Processing\r\n\r\n" + head + "Content-Length: 2\r\n\r\nok"), body: "ok"},
		"two lengths":           {answer: say(head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nok"), fault: "gave no answer that can be read"},
		"a bad chunk":           {answer: say(head + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n"), body: "ok"},
		"an endless chunk size": {answer: endless(head+"Transfer-Encoding: chunked\r\n\r\n", "1"), body: ""},
		"an endless trailer":    {answer: endless(head+"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", "X: y\r\n"), body: "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			url := raw(t, c.answer)
			e := open(t, Config{URL: url, AllowPrivate: loopback, Timeout: c.timeout})
			a := e.Send(t.Context(), batch())
			if c.fault != "" {
				check(t, a, Retry, c.fault)
			} else if a.Status != 200 || a.Err != nil || strings.TrimRight(string(a.Body), "x") != c.body {
				t.Errorf("Send = %d, %v, %q, want 200 and %q", a.Status, a.Err, a.Body, c.body)
			}
			if a.Address != strings.TrimPrefix(url, "http://") {
				t.Errorf("the address is %q, want that of %s", a.Address, url)
			}
		})
	}
}

// TestSlowBody sees that a status is not kept from the sender by a body that nobody
// needs.
func TestSlowBody(t *testing.T) {
	e := open(t, Config{URL: raw(t, drip("HTTP/1.1 204 No Content\r\nX: y\r\n\r\n")), AllowPrivate: loopback})
	e.bodyTimeout = 100 * time.Millisecond
	if a := e.Send(t.Context(), batch()); a.Status != 204 || a.Err != nil || a.Took > 30*time.Second {
		t.Errorf("Send = %d, %v after %v", a.Status, a.Err, a.Took)
	}
	e = open(t, Config{URL: raw(t, drip("HTTP/1.1 200 OK\r\n\r\nbegin")), AllowPrivate: loopback})
	e.bodyTimeout = 100 * time.Millisecond
	if a := e.Send(t.Context(), batch()); a.Status != 200 || a.Err != nil || !strings.HasPrefix(string(a.Body), "begin") || a.Took > 30*time.Second {
		t.Errorf("Send = %d, %v, %q after %v", a.Status, a.Err, a.Body, a.Took)
	}
}

func say(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

// drip says the text and then a byte now and then, until nobody listens.
func drip(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, text)
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			gone(conn)
		}()
		defer func() {
			_ = conn.Close()
			<-closed
		}()
		for err == nil {
			select {
			case <-closed:
				return
			case <-time.After(200 * time.Millisecond):
				_, err = io.WriteString(conn, "x")
			}
		}
	}
}

func endless(begin, more string) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, begin)
		for block := strings.Repeat(more, 1000); err == nil; {
			_, err = io.WriteString(conn, block)
		}
	}
}

func reset(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }

// TestEarlyAnswer has a receiver refuse a large batch before it has read it.
func TestEarlyAnswer(t *testing.T) {
	url := receive(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "too much")
	})
	r := batch()
	r.Body = make([]byte, 200<<10)
	a := open(t, Config{URL: url, AllowPrivate: loopback}).Send(t.Context(), r)
	if a.Status != http.StatusRequestEntityTooLarge || a.Outcome() != Block || string(a.Body) != "too much" {
		t.Errorf("Send = %d, %v, %q, %v", a.Status, a.Outcome(), a.Body, a.Err)
	}
}

// TestSlowReader has a receiver that does not take in the request.
func TestSlowReader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := batch()
	r.Body = make([]byte, 64<<20)
	e := open(t, Config{URL: "http://" + l.Addr().String(), AllowPrivate: loopback, Timeout: 300 * time.Millisecond})
	check(t, e.Send(t.Context(), r), Retry, "did not take in the whole request within 300ms")
}

func TestNobodyListens(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	check(t, open(t, Config{URL: s.URL, AllowPrivate: loopback}).Send(t.Context(), batch()), Retry, "nothing listens there at 127.0.0.1:")
}

func TestCalledOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := raw(t, func(conn net.Conn) {
		cancel()
		gone(conn)
	})
	e := open(t, Config{URL: url, AllowPrivate: loopback})
	check(t, e.Send(ctx, batch()), Retry, "was called off")
	check(t, e.Send(ctx, batch()), Retry, "was called off")
}

// TestReuse sees that a connection serves batch after batch, unless an answer was
// too large to read on.
func TestReuse(t *testing.T) {
	large := false
	var addresses []string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addresses = append(addresses, r.RemoteAddr)
		if large {
			_, _ = w.Write(make([]byte, 2<<20))
		} else {
			_, _ = w.Write(make([]byte, 100<<10))
		}
	}))
	s.Start()
	defer s.Close()
	e := open(t, Config{URL: s.URL, AllowPrivate: loopback})
	for i := range 4 {
		large = i == 2
		if a := e.Send(t.Context(), batch()); a.Outcome() != OK || len(a.Body) != DefaultMaxAnswer {
			t.Fatalf("Send = %d, %v, %d bytes", a.Status, a.Err, len(a.Body))
		}
	}
	if addresses[0] != addresses[1] || addresses[1] != addresses[2] || addresses[2] == addresses[3] {
		t.Errorf("the connections came from %v", addresses)
	}
}

// TestOneRequest sees that an attempt whose connection breaks is not repeated behind
// the sender's back, though the request has an Idempotency-Key.
func TestOneRequest(t *testing.T) {
	var requests atomic.Int32
	url := raw(t, func(conn net.Conn) {
		requests.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if readHead(conn) == nil {
			requests.Add(1)
		}
	})
	e := open(t, Config{URL: url, AllowPrivate: loopback})
	if a := e.Send(t.Context(), batch()); a.Outcome() != OK {
		t.Fatal(a.Err)
	}
	check(t, e.Send(t.Context(), batch()), Retry, "closed the connection")
	if n := requests.Load(); n != 2 {
		t.Errorf("the receiver got %d requests, want 2", n)
	}
}

// TestDeadConnection sees that a connection which the receiver closed meanwhile does
// no harm.
func TestDeadConnection(t *testing.T) {
	url := raw(t, say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	e := open(t, Config{URL: url, AllowPrivate: loopback})
	for range 20 {
		if a := e.Send(t.Context(), batch()); a.Status != 200 && a.Outcome() != Retry {
			t.Fatalf("Send = %d, %v", a.Status, a.Err)
		}
	}
}

func TestAnswerIsBounded(t *testing.T) {
	url := receive(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 40 {
			w.Header().Set(fmt.Sprintf("X-%02d", i), strings.Repeat("x", 1000))
		}
		_, _ = w.Write(make([]byte, 3000))
	})
	a := open(t, Config{URL: url, AllowPrivate: loopback, MaxAnswer: 100}).Send(t.Context(), batch())
	if len(a.Body) != 100 || len(a.Header) < 5 || len(a.Header) > 11 {
		t.Errorf("Send gives %d bytes and %d headers", len(a.Body), len(a.Header))
	}
}

// TestConcurrent sends many large batches at the same time.
func TestConcurrent(t *testing.T) {
	url := receive(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(bufio.NewReader(r.Body))
		fmt.Fprintf(w, "%x", sha256.Sum256(body))
	})
	e := open(t, Config{URL: url, AllowPrivate: loopback})
	answers := make(chan string)
	for i := range 16 {
		go func() {
			r := batch()
			r.Body = []byte(strings.Repeat(fmt.Sprint(i), 100_000))
			a := e.Send(t.Context(), r)
			if want := fmt.Sprintf("%x", sha256.Sum256(r.Body)); string(a.Body) != want {
				answers <- fmt.Sprintf("Send %d = %s, %v, want %s", i, a.Body, a.Err, want)
				return
			}
			answers <- ""
		}()
	}
	for range 16 {
		if fault := <-answers; fault != "" {
			t.Error(fault)
		}
	}
}
