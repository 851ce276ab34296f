package oidc

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// callTimeout is how long the provider has for one call.
	callTimeout = 10 * time.Second
	// maxAnswer is the largest answer that is read: 1 MiB.
	maxAnswer = 1 << 20
)

// newClient returns a client with bounds. What holds a secret is not sent on to
// wherever it is redirected, and nothing from https to http.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 2
	return &http.Client{
		Timeout:   callTimeout,
		Transport: bounded{transport},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 || via[0].Method != http.MethodGet || via[0].Header.Get("Authorization") != "" || r.URL.Scheme != via[0].URL.Scheme {
				return fmt.Errorf("%s is redirected to %s, which is not followed", via[0].URL, r.URL)
			}
			return nil
		},
	}
}

// bounded limits the size of answers.
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.Transport.RoundTrip(r)
	if err == nil {
		answer.Body = &boundedBody{answer.Body, maxAnswer}
	}
	return answer, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

var errTooLarge = errors.New("the provider's answer is too large")

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
