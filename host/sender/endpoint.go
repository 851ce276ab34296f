package sender

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Endpoint makes requests to one external system. It is safe for concurrent use.
type Endpoint interface {
	// Send makes one request, and does not repeat it. It never takes much longer
	// than ctx.
	Send(ctx context.Context, r Request) Answer
}

// Request is what is to be sent.
type Request struct {
	// Method is that of the configuration if empty. Path is resolved against the URL of the
	// configuration, and Query added to it.
	Method, Path string
	Query        url.Values
	Header       http.Header
	Body         []byte
	ContentType  string
	Filename     string
	// ID is the idempotency key.
	ID    string
	Time  time.Time
	Group string
	// Lease is the fencing number of the lease that the batch is sent under: a
	// receiver that has seen a larger one may turn it down. 0 is none.
	Lease uint64
}

// Answer is what came of a request.
type Answer struct {
	Began time.Time
	Took  time.Duration
	// Address is the other end of the connection, URL what was asked, without
	// secrets.
	Address, Method, URL string
	// Status is 0 if there was no whole answer; then Err says why.
	Status int
	Header http.Header
	// Body is the beginning of the answer.
	Body []byte
	// RetryAfter is for how long the receiver does not want to be asked again.
	RetryAfter time.Duration
	Err        error
	// Permanent says that the same request would fail again.
	Permanent bool
}

// Outcome is what follows from an answer.
type Outcome int

const (
	// Retry: the receiver may have it or not; send it again.
	Retry Outcome = iota
	// OK: the receiver has accepted it.
	OK
	// Block: the receiver has turned it down, and would again.
	Block
)

// Outcome tells what follows.
func (a Answer) Outcome() Outcome {
	switch {
	case a.Permanent:
		return Block
	case a.Err == nil && a.Status >= 200 && a.Status < 300:
		return OK
	}
	return Retry
}
