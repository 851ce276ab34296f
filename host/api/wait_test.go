package api_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/api"
)

// waits returns when n fetches wait for messages of the group.
func (s *service) waits(t *testing.T, n int) {
	t.Helper()
	for s.store.watching.Load() != int64(n) {
		select {
		case <-s.store.watched:
		case <-time.After(time.Minute):
			t.Fatalf("%d fetches wait, want %d", s.store.watching.Load(), n)
		}
	}
}

func TestWaitEndsWithAMessage(t *testing.T) {
	s := start(t)
	var polls sync.WaitGroup
	for range 3 {
		polls.Go(func() {
			a := s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.student}.wait())
			if a.status != 200 || a.header.Get("Restante-Count") != "1" || !strings.Contains(a.body, `"name": "Ada"`) {
				t.Errorf("fetch = %d %s", a.status, a.body)
			}
		})
	}
	s.waits(t, 3)
	s.fill(t, "other", "1") // none of theirs
	a := s.do(t, call{method: "POST", path: "/add/student", key: s.student, body: `{"name":"Ada"}`,
		header: map[string]string{"Content-Type": "application/json"}})
	if a.status != http.StatusCreated {
		t.Errorf("add = %d", a.status)
	}
	polls.Wait()
	s.waits(t, 0)
}

func TestWaitEndsAtOnceWithMessages(t *testing.T) {
	s := start(t)
	s.fill(t, "student", "1")
	began := time.Now()
	s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.student}.wait())
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the fetch took %v", d)
	}
}

// The server's own time limits are shorter than the wait here, and still the
// client is answered.
func TestWaitEndsInTime(t *testing.T) {
	s := start(t, func(_ *api.Config, server *http.Server) {
		server.ReadTimeout, server.WriteTimeout = 200*time.Millisecond, 300*time.Millisecond
	})
	began := time.Now()
	a := s.do(t, call{method: "GET", path: "/poll/student/fetch?wait=1", key: s.student})
	if d := time.Since(began); d < 900*time.Millisecond || d > 10*time.Second {
		t.Errorf("the fetch took %v, want 1s", d)
	}
	if a.status != 200 || a.header.Get("Restante-Count") != "0" || !strings.Contains(a.body, `"messages": []`) {
		t.Errorf("fetch = %d %s", a.status, a.body)
	}
}

func TestWaitIsCut(t *testing.T) {
	s := start(t, func(c *api.Config, _ *http.Server) { c.MaxWait = 10 * time.Millisecond })
	if a := s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.student}.wait()); a.status != 200 {
		t.Errorf("fetch = %d %s", a.status, a.body)
	}
}

func TestWaitEndsWithTheServer(t *testing.T) {
	s := start(t)
	done := make(chan answer, 1)
	go func() {
		done <- s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.student}.wait())
	}()
	s.waits(t, 1)
	began := time.Now()
	s.stop()
	if a := <-done; a.status != 200 || a.header.Get("Restante-Count") != "0" {
		t.Errorf("fetch = %d %s", a.status, a.body)
	}
	if d := time.Since(began); d > 8*time.Second {
		t.Errorf("the server took %v to stop", d)
	}
}

func TestWaitEndsWithTheClient(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := call{method: "GET", path: "/poll/student/fetch", key: s.student}.wait().request(ctx, s.url)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		response, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			response.Body.Close()
		}
		done <- err
	}()
	s.waits(t, 1)
	cancel()
	if err := <-done; err == nil {
		t.Error("a cancelled request was answered")
	}
	s.waits(t, 0)
}

func TestTooManyWait(t *testing.T) {
	s := start(t, func(c *api.Config, _ *http.Server) { c.MaxWaiting = 2 })
	fetch := call{method: "GET", path: "/poll/student/fetch", key: s.student}
	var polls sync.WaitGroup
	for range 2 {
		polls.Go(func() { s.do(t, fetch.wait()) })
	}
	s.waits(t, 2)
	a := s.do(t, fetch.wait())
	check(t, a, 429, "too-many-waiting", "2 requests")
	if a.header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
	if a := s.do(t, fetch); a.status != 200 {
		t.Errorf("a fetch that does not wait = %d %s", a.status, a.body)
	}
	s.fill(t, "student", "1")
	polls.Wait()
	if a := s.do(t, fetch.wait()); a.status != 200 {
		t.Errorf("a fetch afterwards = %d %s", a.status, a.body)
	}
}

// Watch counts who watches, so that tests know when a fetch waits.
func (b *brittle) Watch(g host.GroupName) (<-chan struct{}, func()) {
	changed, stop := b.Store.Watch(g)
	count := func(n int64) {
		b.watching.Add(n)
		select {
		case b.watched <- struct{}{}:
		default:
		}
	}
	count(1)
	return changed, func() {
		stop()
		count(-1)
	}
}
