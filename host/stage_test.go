package host_test

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// stage is a plugin that fails over what it is told to.
type stage struct {
	mu       sync.Mutex
	version  string
	poison   map[host.ID]bool          // each fails over
	names    bool                      // and is named
	fails    func([]host.Message) bool // fails as well
	each     func()                    // begins each call of an understudy
	gate     chan struct{}             // that calls of understudies wait at
	passes   int                       // so many don't
	serves   int                       // calls
	stands   int                       // calls of understudies
	missing  int                       // so many calls find that it does not run
	open     int                       // understudies
	foreign  bool                      // names a message of another batch
	nobody   bool                      // has no understudy
	faults   []host.Fault
	cleared  int
	observed int
	ahead    time.Duration // of the clock
}

func (p *stage) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.ahead)
}

// later moves the clock.
func (p *stage) later(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead += d
}

func (p *stage) write(b host.Batch) (host.Document, error) {
	var rejections []host.Rejection
	for _, m := range b.Messages {
		if p.poison[m.ID] {
			rejections = append(rejections, host.Rejection{ID: m.ID, Reason: fmt.Sprintf("I don't like %d", m.ID)})
		}
	}
	switch {
	case len(rejections) > 0 && p.names:
		if p.foreign {
			rejections[0].ID = 4711
		}
		return host.Document{}, &host.RejectedError{Plugin: "records", Rejections: rejections}
	case len(rejections) > 0:
		return host.Document{}, &host.UnavailableError{Plugin: "records", Reason: "it failed", Failed: rejections[0].Reason}
	case p.fails != nil && p.fails(b.Messages):
		return host.Document{}, &host.UnavailableError{Plugin: "records", Reason: "it failed", Failed: "too much"}
	}
	return host.Document{ContentType: "text/plain", Body: []byte(b.Token)}, nil
}

func (p *stage) WriteMessages(_ context.Context, _ string, b host.Batch) (host.Document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.missing > 0 {
		p.missing--
		return host.Document{}, &host.UnavailableError{Plugin: "records", Reason: "it is being started again"}
	}
	p.serves++
	return p.write(b)
}

func (p *stage) FormatHTTPRequest(context.Context, string, host.Batch, host.Document) (host.HTTPRequest, error) {
	return host.HTTPRequest{}, nil
}

func (p *stage) Edition(plugin string) host.Edition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return host.Edition{Origin: host.Origin{Plugin: plugin, Version: p.version}}
}

func (p *stage) Understudy(context.Context, string, host.GroupName) (host.Understudy, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nobody {
		return nil, &host.UnavailableError{Plugin: "records", Reason: "somebody else runs it"}
	}
	p.open++
	return standIn{p}, nil
}

type standIn struct{ *stage }

func (u standIn) Edition() host.Edition { return u.stage.Edition("records") }

func (u standIn) WriteMessages(ctx context.Context, b host.Batch) (host.Document, error) {
	u.mu.Lock()
	if u.each != nil {
		u.each()
	}
	gate := u.gate
	if u.passes > 0 {
		u.passes--
		gate = nil
	}
	u.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return host.Document{}, ctx.Err()
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stands++
	return u.write(b)
}

func (u standIn) Close(context.Context) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open--
}

func (p *stage) Added(host.GroupName, int) {}
func (p *stage) Fetched(host.GroupName, host.Fetched, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observed++
}
func (p *stage) Marked(host.GroupName, uint64) {}

// calls returns how many calls there were since it was asked last.
func (p *stage) calls() (serves, stands int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	serves, stands = p.serves, p.stands
	p.serves, p.stands = 0, 0
	return serves, stands
}

func (p *stage) reported() []host.Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.faults)
}

// stumbling returns an exchange over a stage, with n messages.
func stumbling(t *testing.T, p *stage, policy host.FaultPolicy, n int, c host.FaultsConfig) *host.Exchange {
	t.Helper()
	x := openExchange(t, nil)
	x.Formatters, x.Observer = p, p
	c.Store, c.Tokens, c.Formatters = x.Store, x.Tokens, p
	c.Now = p.now
	c.Policy = func(host.GroupName) host.FaultPolicy { return policy }
	c.Report = func(f host.Fault) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.faults = append(p.faults, f)
	}
	c.Cleared = func(host.GroupName) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cleared++
	}
	var err error
	if x.Faults, err = host.NewFaults(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		x.Faults.Close()
		if p.open != 0 {
			t.Errorf("%d understudies were left", p.open)
		}
	})
	if n > 0 {
		addText(t, x, "student", strings.Repeat("1\n", n))
	}
	return x
}

func poison(ids ...host.ID) map[host.ID]bool {
	all := map[host.ID]bool{}
	for _, id := range ids {
		all[id] = true
	}
	return all
}

// get fetches, and says in a few words what came of it.
func get(t *testing.T, x *host.Exchange, limit int) string {
	t.Helper()
	f, err := x.Fetch(t.Context(), "student", limit, host.Caller{})
	if rejected, ok := errors.AsType[*host.RejectedError](err); ok {
		text := "rejected"
		for _, r := range rejected.Rejections {
			text += fmt.Sprintf(" %d: %s", r.ID, r.Reason)
		}
		if rejected.NotHeld != "" {
			text += "; " + rejected.NotHeld
		}
		return text
	}
	if unavailable, ok := errors.AsType[*host.UnavailableError](err); ok {
		return unavailable.Reason
	}
	if err != nil {
		t.Fatalf("Fetch = %v", err)
	}
	return f.IDs.String()
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func expectCalls(t *testing.T, p *stage, what string, serves, stands int) {
	t.Helper()
	if gotServes, gotStands := p.calls(); gotServes != serves || gotStands > stands || (stands == 0) != (gotStands == 0) {
		t.Errorf("%s: %d calls and %d of understudies, want %d and at most %d", what, gotServes, gotStands, serves, stands)
	}
}

// most is the bound on calls for a batch of n messages.
func most(n int) int { return 2*bits.Len(uint(n-1)) + 1 }
