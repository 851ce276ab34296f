package endpoint

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tokenServer gives out tokens, and counts them.
type tokenServer struct {
	mu     sync.Mutex
	asked  int
	form   string // of the last request
	answer http.HandlerFunc
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	_ = r.ParseForm()
	id, secret, _ := r.BasicAuth()
	s.form = r.PostForm.Encode() + " " + id + " " + secret
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":60}`, s.asked)
}

func (s *tokenServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func oauth(url, tokens string) Config {
	return Config{URL: url, AllowPrivate: loopback, OAuth2: &OAuth2{
		TokenURL: tokens, ClientID: "restante", ClientSecret: "hushhush", Scopes: []string{"write", "read"}, Audience: "them",
	}}
}

func TestOAuth2(t *testing.T) {
	var s tokenServer
	var good atomic.Value
	good.Store("token-1")
	url := receive(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer "+good.Load().(string) || string(body) != string(batch().Body) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, "you said "+r.Header.Get("Authorization"))
	})
	e := open(t, oauth(url, receive(t, s.ServeHTTP)))
	now := time.Now()
	e.now = func() time.Time { return now }
	send := func(what string, status, asked int) {
		t.Helper()
		a := e.Send(t.Context(), batch())
		if a.Status != status || s.count() != asked || string(a.Body) != "you said Bearer [hidden]" {
			t.Errorf("%s: Send = %d, %v, %q after %d tokens, want %d after %d", what, a.Status, a.Err, a.Body, s.count(), status, asked)
		}
	}
	send("the first", 200, 1)
	if want := "audience=them&grant_type=client_credentials&scope=write+read restante hushhush"; s.form != want {
		t.Errorf("the token server was asked %s, want %s", s.form, want)
	}
	send("kept", 200, 1)
	now = now.Add(55 * time.Second)
	good.Store("token-2")
	send("about to expire", 200, 2)
	good.Store("token-3")
	send("refused", 200, 3)
	good.Store("none")
	send("refused again", 401, 4)
	send("refused when new", 401, 5)
}

func TestOAuth2Concurrent(t *testing.T) {
	var s tokenServer
	url := receive(t, func(http.ResponseWriter, *http.Request) {})
	e := open(t, oauth(url, receive(t, s.ServeHTTP)))
	var sends sync.WaitGroup
	for range 8 {
		sends.Go(func() {
			if a := e.Send(t.Context(), batch()); a.Outcome() != OK {
				t.Error(a.Err)
			}
		})
	}
	sends.Wait()
	if s.asked != 1 {
		t.Errorf("%d tokens were asked for, want 1", s.asked)
	}
}

func TestNoToken(t *testing.T) {
	var requests atomic.Int32
	url := receive(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		want   Outcome
		text   string
	}{
		"refused": {says(401, `{"error":"invalid_client","error_description":"secret hushhush\nis wrong"}`), Block,
			"refuses a token, it answered 401 Unauthorized, invalid_client: secret [hidden] is wrong"},
		"refused with 200":  {says(200, `{"error":"invalid_scope"}`), Block, "invalid_scope"},
		"out of order":      {says(503, "hushhush"), Retry, "answered 503 Service Unavailable"},
		"too many":          {says(429, ""), Retry, "answered 429 Too Many Requests"},
		"a redirect":        {says(307, ""), Block, "307"},
		"no JSON":           {says(200, "<html>"), Retry, "an answer without a token"},
		"no token":          {says(200, `{"token_type":"bearer"}`), Retry, "an answer without a token"},
		"endless":           {says(200, `{"x":"`+strings.Repeat("x", 2<<20)), Retry, "an answer without a token"},
		"another type":      {says(200, `{"access_token":"abc","token_type":"mac"}`), Block, "can't be sent as a bearer token"},
		"a smuggled header": {says(200, `{"access_token":"abc\r\nX: y","token_type":"bearer"}`), Block, "can't be sent as a bearer token"},
	} {
		t.Run(name, func(t *testing.T) {
			s := tokenServer{answer: func(w http.ResponseWriter, _ *http.Request) { c.answer(w) }}
			a := open(t, oauth(url, receive(t, s.ServeHTTP))).Send(t.Context(), batch())
			check(t, a, c.want, c.text)
			if !strings.Contains(a.Err.Error(), "the token server 127.0.0.1:") || strings.Contains(a.Err.Error(), "hushhush") {
				t.Errorf("the error is %q", a.Err)
			}
			if name == "too many" && a.RetryAfter != 7*time.Second {
				t.Errorf("RetryAfter = %v, want 7s", a.RetryAfter)
			}
		})
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests were sent without a token", requests.Load())
	}
}

func says(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "http://169.254.169.254/")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestTokenServerIsAway(t *testing.T) {
	url := receive(t, func(http.ResponseWriter, *http.Request) {})
	c := oauth(url, raw(t, gone))
	c.Timeout = 200 * time.Millisecond
	check(t, open(t, c).Send(t.Context(), batch()), Retry, "the token server")
	check(t, open(t, oauth(url, raw(t, say("")))).Send(t.Context(), batch()), Retry, "closed the connection without an answer")

	c = oauth("https://receiver.test", "https://tokens.test")
	c.AllowPrivate = nil
	e := openWith(t, c, names(t, func(string, int) []string { return []string{"169.254.169.254"} }))
	check(t, e.Send(t.Context(), batch()), Block, "the token server tokens.test can't be sent to: the address 169.254.169.254 is of a cloud's metadata")
}
