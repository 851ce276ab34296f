package main

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// start runs a receiver until the test ends, and returns its URL and what it prints.
func start(t *testing.T, r *receiver, secret string) (url string, printed *io.PipeReader) {
	t.Helper()
	printed, out := io.Pipe()
	r.out, r.seen = out, map[string]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, "127.0.0.1:0", secret, r) }()
	first := make([]byte, 100)
	n, err := printed.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return strings.TrimSpace(strings.TrimPrefix(string(first[:n]), "the receiver listens at ")), printed
}

// post sends a body, signed if key is not empty, and returns the status, the answer
// and what the receiver prints.
func post(t *testing.T, url string, printed io.Reader, id, key, body string) (*http.Response, string, string) {
	t.Helper()
	shown := make(chan string, 1)
	go func() {
		text := make([]byte, 4096)
		n, _ := printed.Read(text)
		shown <- string(text[:n])
	}()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/x", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Webhook-Id", id)
	q.Header.Set("Authorization", "Bearer hush")
	if key != "" {
		w, err := standardwebhooks.NewWebhook(key)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		signature, err := w.Sign(id, now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
		q.Header.Set("Webhook-Signature", signature)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer, strings.TrimSpace(string(text)), <-shown
}

func TestReceiver(t *testing.T) {
	url, printed := start(t, &receiver{failures: 1, status: 503, retryAfter: "2"}, secret)
	for _, c := range []struct {
		id, key, body string
		status        int
		want          string
	}{
		{"one", "", "[1]", 401, "refused"},
		{"one", "whsec_" + strings.Repeat("A", 32), "[1]", 401, "refused"},
		{"one", secret, "[1]", 503, "failed as it was told"},
		{"one", secret, "[1]", 200, "taken"},
		{"one", secret, "[1]", 200, "taken before"},
		{"two", secret, "[2]", 200, "taken"},
	} {
		answer, text, shown := post(t, url, printed, c.id, c.key, c.body)
		if answer.StatusCode != c.status || !strings.HasPrefix(text, c.want) {
			t.Errorf("the answer is %d %q, want %d %q", answer.StatusCode, text, c.status, c.want)
		}
		if (answer.Header.Get("Retry-After") == "2") != (c.status >= 400) {
			t.Errorf("Retry-After of %d is %q", c.status, answer.Header.Get("Retry-After"))
		}
		if !strings.Contains(shown, c.body) || !strings.Contains(shown, "Webhook-Id: "+c.id) || strings.Contains(shown, "hush") {
			t.Errorf("the receiver prints %s", shown)
		}
	}
}

func TestBadSecret(t *testing.T) {
	if err := run(t.Context(), "127.0.0.1:0", "whsec_?", &receiver{out: io.Discard}); err == nil {
		t.Error("run takes a secret that is none")
	}
}
