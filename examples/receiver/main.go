// A receiver for what a send queue sends: it prints each request, verifies its
// signature if it is given the secret, and can be told to fail for a while.
//
//	go run ./examples/receiver --secret whsec_… --fail 3 --status 503
//
// It listens on this machine, so the endpoint block of the queue needs
// allow_private = ["127.0.0.1"].
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8099", "address and port")
	secret := flag.String("secret", "", "refuse what is not signed with this secret, whsec_…")
	r := &receiver{out: os.Stdout, seen: map[string]bool{}}
	flag.IntVar(&r.failures, "fail", 0, "fail this many requests before the first is taken")
	flag.IntVar(&r.status, "status", http.StatusServiceUnavailable, "status of the failures")
	flag.StringVar(&r.retryAfter, "retry-after", "", "Retry-After of the failures: seconds, or a date")
	flag.DurationVar(&r.delay, "delay", 0, "wait before every answer")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *secret, r); err != nil {
		fmt.Fprintln(os.Stderr, "receiver: error:", err)
		os.Exit(1)
	}
}

// run receives until ctx is over.
func run(ctx context.Context, listen, secret string, r *receiver) error {
	if secret != "" {
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return errors.New("the secret is not \"whsec_\" and base64")
		}
		r.verifier = verifier
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	r.printf("the receiver listens at http://%s\n", listener.Addr())
	server := &http.Server{Handler: r, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(bounded)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// receiver takes batches. It is safe for concurrent use.
type receiver struct {
	verifier   *standardwebhooks.Webhook // nil takes everything
	status     int
	retryAfter string
	delay      time.Duration

	mu       sync.Mutex
	out      io.Writer
	failures int             // that are left
	seen     map[string]bool // the ids that were taken
}

// maxBody is the largest request that is read: 64 MiB.
const maxBody = 64 << 20

// ServeHTTP takes one batch, whatever the method and path.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
	if err != nil {
		r.printf("%s %s: %v\n", q.Method, q.URL, err)
		http.Error(w, "the request can't be read", http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(r.delay):
	case <-q.Context().Done():
	}
	status, verdict := r.judge(q, body)
	r.print(q, body, fmt.Sprintf("%d, %s", status, verdict))
	if status >= 400 && r.retryAfter != "" {
		w.Header().Set("Retry-After", r.retryAfter)
	}
	w.WriteHeader(status)
	fmt.Fprintln(w, verdict)
}

// judge decides what becomes of a request. The id is the same in every attempt, so
// what was taken before is dropped and answered as if it were new.
func (r *receiver) judge(q *http.Request, body []byte) (status int, verdict string) {
	if r.verifier != nil {
		if err := r.verifier.Verify(body, q.Header); err != nil {
			return http.StatusUnauthorized, "refused: " + err.Error()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures > 0 {
		r.failures--
		return r.status, "failed as it was told"
	}
	id := q.Header.Get("Webhook-Id")
	if id != "" && r.seen[id] {
		return http.StatusOK, "taken before"
	}
	r.seen[id] = true
	return http.StatusOK, "taken"
}

// print shows a request: its headers without credentials, and its body.
func (r *receiver) print(q *http.Request, body []byte, answer string) {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s from %s: %s\n", q.Method, q.URL, q.RemoteAddr, answer)
	for _, name := range slices.Sorted(maps.Keys(q.Header)) {
		value := strings.Join(q.Header[name], ", ")
		if name == "Authorization" || name == "Cookie" {
			value = "(not shown)"
		}
		fmt.Fprintf(&text, "  %s: %s\n", name, value)
	}
	r.printf("%s%s\n", &text, body)
}

func (r *receiver) printf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, format, args...)
}
