package endpoint

import (
	"context"
	"net/http/httptrace"
	"sync"
)

// steps notes how far a request got. It is safe for concurrent use.
type steps struct {
	mu        sync.Mutex
	address   string
	connected bool
	written   bool
	// wanted says that the server asked for a certificate of ours, and given that it
	// got one.
	wanted, given bool
}

// stepsKey is for the steps in the context of a request.
type stepsKey struct{}

// watch has the steps noted of a request with the context that it returns. (It must
// not ask for 1xx answers: that would end net/http's limit on them.)
func (s *steps) watch(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, stepsKey{}, s)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.connected, s.written, s.address = true, false, i.Conn.RemoteAddr().String()
		},
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.written = i.Err == nil
		},
	})
}

// asked notes that the server asked for a certificate, and whether it got one.
func (s *steps) asked(given bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted, s.given = true, given
}

// certificate returns whether the server asked for one, and got one.
func (s *steps) certificate() (wanted, given bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wanted, s.given
}

func (s *steps) done() (connected, written bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected, s.written
}

func (s *steps) remote() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}
