package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// heldWithin is the time for which FaultsConfig.MaxHeld counts.
	heldWithin = 10 * time.Minute
	// smallerFor is for how long batches are kept smaller after one could not be
	// formatted as a whole.
	smallerFor = 10 * time.Minute
	// maxSearches is how many searches go on at the same time, each with a process
	// of its own; more wait for their turn.
	maxSearches = 4
)

// FaultsConfig is what Faults work with. The first four are required.
type FaultsConfig struct {
	Store      Messages
	Tokens     *Tokens
	Formatters Formatters
	// Policy returns what holds for a group now.
	Policy func(GroupName) FaultPolicy
	// Now is the clock: time.Now if nil.
	Now func() time.Time
	// Report is told of every fault, and of one that blocks its group whenever the
	// plugin was asked again in vain. Cleared is told that a group which was blocked
	// is free again. They must be quick, and may be nil.
	Report  func(Fault)
	Cleared func(GroupName)
	// Patience is how long a fetch takes at most to get around messages at fault:
	// 15 s if 0. Search is how long the search for one goes on at most: 5 minutes
	// if 0. Retry is for how long a batch that is blocked is not tried again: a
	// minute if 0.
	Patience, Search, Retry time.Duration
	// MaxHeld is how many messages of a group are held within 10 minutes: 100 if
	// 0. If there are more it is rather the plugin that is at fault, and the queue
	// is blocked.
	MaxHeld int
}

// Faults finds out which messages plugins fail over, and deals with them. It is
// safe for concurrent use.
type Faults struct {
	config FaultsConfig
	busy   sync.WaitGroup // searches
	turns  chan struct{}  // holds a value for each that goes on

	mu     sync.Mutex
	closed bool
	groups map[GroupName]*groupFaults
}

// groupFaults is what is known of one group. Faults.mu guards all but settling.
type groupFaults struct {
	settling sync.Mutex // has messages dealt with one after the other
	search   *search    // that goes on, or nil
	verdicts []verdict  // oldest first
	smaller  smaller
	held     []time.Time // messages, by when they were held
	swept    *Edition    // which had too many messages held
}

// smaller is how many messages work where more do not.
type smaller struct {
	limit   int
	edition Edition
	until   time.Time
}

// NewFaults checks the config.
func NewFaults(c FaultsConfig) (*Faults, error) {
	switch {
	case c.Store == nil, c.Tokens == nil, c.Formatters == nil, c.Policy == nil:
		return nil, errors.New("faults config: Store, Tokens, Formatters and Policy must be set")
	case min(c.Patience, c.Search, c.Retry) < 0, c.MaxHeld < 0:
		return nil, errors.New("faults config: a limit is negative")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Report == nil {
		c.Report = func(Fault) {}
	}
	if c.Cleared == nil {
		c.Cleared = func(GroupName) {}
	}
	c.Patience = cmp.Or(c.Patience, 15*time.Second)
	c.Search = cmp.Or(c.Search, 5*time.Minute)
	c.Retry = cmp.Or(c.Retry, time.Minute)
	c.MaxHeld = cmp.Or(c.MaxHeld, 100)
	return &Faults{config: c, turns: make(chan struct{}, maxSearches), groups: map[GroupName]*groupFaults{}}, nil
}

// Close gives up searches that go on, and returns when nothing of them is left.
// Nothing is searched for any more. It may be called again.
func (s *Faults) Close() {
	s.mu.Lock()
	s.closed = true
	for _, g := range s.groups {
		if g.search != nil {
			g.search.cancel()
		}
	}
	s.mu.Unlock()
	s.busy.Wait()
}

// group returns what is known of a group; s.mu is held.
func (s *Faults) group(name GroupName) *groupFaults {
	g := s.groups[name]
	if g == nil {
		g = &groupFaults{}
		s.groups[name] = g
	}
	return g
}

// limit returns how many messages a batch is to have where limit are wanted.
func (s *Faults) limit(q Queue, limit int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.groups[q.Group]
	if known == nil || known.smaller.limit == 0 {
		return limit
	}
	if !s.config.Now().Before(known.smaller.until) || s.config.Formatters.Edition(q.Plugin) != known.smaller.edition {
		known.smaller = smaller{}
		return limit
	}
	return min(limit, known.smaller.limit)
}

// settle deals with messages at fault by the group's policy. It returns nil if
// they are held and, if not, what fetches of the batch get from now on.
func (s *Faults) settle(ctx context.Context, q Queue, b Batch, limit int, e Edition, rejections []Rejection, calls int) error {
	s.mu.Lock()
	g := s.group(q.Group)
	s.mu.Unlock()
	g.settling.Lock()
	defer g.settling.Unlock()
	f := Fault{
		Time: s.config.Now().UTC(), Group: q.Group, Plugin: e.Origin, Batch: b.IDs(),
		Rejections: slices.Clone(rejections), Policy: s.config.Policy(q.Group), Calls: calls,
	}
	if f.Policy == FaultHold {
		if f.Held = s.mayHold(g, e, len(rejections)); f.Held {
			return s.hold(ctx, g, f)
		}
		f.Reason = fmt.Sprintf("more than %d messages would have been held within %d minutes, so the queue waits instead: it may rather be the plugin that is at fault",
			s.config.MaxHeld, heldWithin/time.Minute)
	}
	v := verdict{
		judged: judgedOf(b, limit), edition: e, until: s.config.Now().Add(s.config.Retry), rejections: f.Rejections, notHeld: f.Reason,
	}
	f.Again = !s.remember(g, v)
	s.config.Report(f)
	return v.err(q)
}

// mayHold tells whether so many more messages may be held.
func (s *Faults) mayHold(g *groupFaults, e Edition, more int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.swept != nil && *g.swept != e {
		g.swept, g.held = nil, nil
	}
	long := s.config.Now().Add(-heldWithin)
	g.held = slices.DeleteFunc(g.held, func(at time.Time) bool { return at.Before(long) })
	if g.swept == nil && len(g.held)+more > s.config.MaxHeld {
		g.swept = &e
	}
	return g.swept == nil
}

// hold holds the messages of a fault, as far as they are still unread.
func (s *Faults) hold(ctx context.Context, g *groupFaults, f Fault) error {
	var ids Ranges
	for _, r := range f.Rejections {
		m, err := s.config.Store.Message(ctx, f.Group, r.ID)
		switch {
		case errors.Is(err, ErrNoMessage):
		case err != nil:
			return err
		case m.Status == Unread:
			ids.Add(Range{r.ID, r.ID})
		}
	}
	if ids.Count() == 0 { // somebody has dealt with them meanwhile
		return nil
	}
	moved, _, err := s.config.Store.Move(ctx, f.Group, ids, Held)
	if err != nil {
		return fmt.Errorf("hold messages %s of %q: %w", ids, f.Group, err)
	}
	s.mu.Lock()
	for range moved {
		g.held = append(g.held, s.config.Now())
	}
	s.mu.Unlock()
	s.config.Report(f)
	return nil
}
