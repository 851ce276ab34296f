package sender

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
)

// Config is what a Sender works with. All but Settings' Endpoint, Elsewhere, Place,
// Observe, Now and Grace is required.
type Config struct {
	Exchange *host.Exchange
	Outbox   *host.Outbox
	Leases   *host.Leases
	Inbox    Inbox
	Log      hclog.Logger
	// Settings returns what holds for a group now. It must be quick.
	Settings func(host.GroupName) Settings
	// Elsewhere returns an endpoint of another URL, for tests of a group, which must
	// not carry the secrets of any other. It may lead where the group's own may lead
	// and, if local is set, to this very machine.
	Elsewhere func(g host.GroupName, url string, local bool) (Endpoint, error)
	// Place returns whether anything is to be sent from this machine.
	Place func() Place
	// Observe is told of every attempt. It must be quick.
	Observe func(host.GroupName, host.AttemptOutcome)
	// Now is the clock: time.Now if nil.
	Now func() time.Time
	// Grace is how long an attempt may go on when Run is told to end: 5 s if 0.
	Grace time.Duration
}

// Inbox is where a Sender reports what people have to know.
type Inbox interface {
	Raise(ctx context.Context, r host.ErrorReport) error
	End(ctx context.Context, kind host.ErrorKind, g host.GroupName, plugin string) error
}

// Sender sends the messages of all send queues. It is safe for concurrent use.
type Sender struct {
	config  Config
	changed chan struct{} // has a value when couriers are to look again

	mu       sync.Mutex
	couriers map[host.GroupName]*courier
	gates    map[string]*gate
	looked   bool  // Place was asked
	place    Place // and this was the last answer
}

// New checks the config.
func New(c Config) (*Sender, error) {
	switch {
	case c.Exchange == nil, c.Exchange.Deliveries == nil, c.Outbox == nil, c.Leases == nil, c.Inbox == nil, c.Log == nil, c.Settings == nil:
		return nil, errors.New("sender: a part that is required is missing")
	case c.Grace < 0:
		return nil, errors.New("sender: Grace is negative")
	}
	if c.Elsewhere == nil {
		c.Elsewhere = func(host.GroupName, string, bool) (Endpoint, error) {
			return nil, errors.New("no other endpoints can be made")
		}
	}
	if c.Place == nil {
		c.Place = func() Place { return Place{} }
	}
	if c.Observe == nil {
		c.Observe = func(host.GroupName, host.AttemptOutcome) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Grace = cmp.Or(c.Grace, 5*time.Second)
	return &Sender{config: c, changed: make(chan struct{}, 1), couriers: map[host.GroupName]*courier{}, gates: map[string]*gate{}}, nil
}

// lookEvery is how often the list of queues is looked at.
const lookEvery = time.Second

// Run sends until ctx ends, and then returns when nothing is on its way any more:
// an attempt has Config.Grace to come to its end. It is called once.
func (s *Sender) Run(ctx context.Context) error {
	var running sync.WaitGroup
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		s.look(ctx, &running)
		select {
		case <-tick.C:
		case <-s.changed:
			s.each((*courier).wake)
		case <-ctx.Done():
			running.Wait()
			s.mu.Lock()
			clear(s.couriers)
			s.mu.Unlock()
			return nil
		}
	}
}

// look starts a courier for each send queue that has none, ends those of queues that
// are sent no more, and has the gates follow the settings.
func (s *Sender) look(ctx context.Context, running *sync.WaitGroup) {
	type limits struct {
		rate float64
		most int
	}
	urls := map[string]limits{}
	sent := map[host.GroupName]bool{}
	for _, q := range s.config.Exchange.Queues.All() {
		if q.Method != host.Send {
			continue
		}
		sent[q.Group] = true
		if settings := s.config.Settings(q.Group); settings.Endpoint != nil {
			l := urls[settings.URL]
			urls[settings.URL] = limits{smallest(l.rate, settings.Rate), smallest(l.most, settings.Concurrency)}
		}
		s.mu.Lock()
		if s.couriers[q.Group] == nil {
			ctx, cancel := context.WithCancel(ctx)
			c := newCourier(s, q.Group, cancel)
			s.couriers[q.Group] = c
			running.Go(func() { c.run(ctx) })
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	for g, c := range s.couriers {
		if !sent[g] {
			c.cancel()
			delete(s.couriers, g)
		}
	}
	s.mu.Unlock()
	for url, l := range urls {
		s.gate(url).limit(l.rate, l.most)
	}
	s.lookAround(ctx, len(urls) > 0)
}

func smallest[N int | float64](a, b N) N {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// lookAround reports that nothing is sent from this machine, once, if anything is to
// be sent at all.
func (s *Sender) lookAround(ctx context.Context, any bool) {
	var place Place
	if any {
		place = s.config.Place()
	}
	s.mu.Lock()
	same := s.looked && s.place == place
	s.looked, s.place = true, place
	s.mu.Unlock()
	if same {
		return
	}
	var err error
	if place.Off == "" || place.Elsewhere {
		err = s.config.Inbox.End(ctx, host.ErrorSend, "", "")
	} else {
		err = s.config.Inbox.Raise(ctx, host.ErrorReport{Kind: host.ErrorSend, Title: "Nothing is sent from this machine: " + place.Off})
	}
	switch {
	case place.Elsewhere:
		s.config.Log.Info("messages are sent by another daemon", "reason", place.Off)
	case place.Off != "":
		s.config.Log.Warn("nothing is sent from this machine", "reason", place.Off)
	}
	if err != nil {
		s.config.Log.Warn("error inbox not written", "kind", string(host.ErrorSend), "error", err)
	}
}

// gate returns the gate of a URL.
func (s *Sender) gate(url string) *gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gates[url]
	if g == nil {
		g = newGate(s.config.Now)
		s.gates[url] = g
	}
	return g
}

// Reconfigure has what Settings and Place say now take effect. What is on its way is
// not touched.
func (s *Sender) Reconfigure() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *Sender) each(do func(*courier)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.couriers {
		do(c)
	}
}

// courier returns that of a send queue. It fails with host.ErrUnknownGroup,
// host.ErrNotSent and host.ErrNotSending.
func (s *Sender) courier(g host.GroupName) (*courier, error) {
	if _, err := s.config.Exchange.SendQueue(g); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.couriers[g]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("send %q: %w", g, host.ErrNotSending)
}

// Trigger has a group sent soon, or joins what is under way, and does not wait for
// it. A pause after a failed attempt is kept. Where another daemon sends, that one is
// asked, by way of the store.
func (s *Sender) Trigger(ctx context.Context, g host.GroupName) (host.SendStatus, error) {
	c, err := s.courier(g)
	if err != nil {
		return host.SendStatus{}, err
	}
	c.ask(false)
	return c.status(ctx)
}

// SendNow has a group sent at once, also if the next attempt would be later, and
// returns when all is sent, an attempt has failed, or something stands in the way, such
// as that another daemon sends, which is asked as Trigger does.
func (s *Sender) SendNow(ctx context.Context, g host.GroupName) (host.SendResult, error) {
	c, err := s.courier(g)
	if err != nil {
		return host.SendResult{}, err
	}
	result := c.ask(true)
	select {
	case r := <-result:
		if r.State == host.SendOff && s.config.Place().Elsewhere {
			r.Reason += " It was asked to send now."
		}
		return r, nil
	case <-ctx.Done():
		return host.SendResult{}, ctx.Err()
	}
}

// Pause has nothing of a group sent until Resume. An attempt that is being made is
// finished.
func (s *Sender) Pause(ctx context.Context, g host.GroupName, by string) error {
	c, err := s.courier(g)
	if err != nil {
		return err
	}
	return c.pause(ctx, by)
}

// Resume goes on with a group that was paused or blocked, or given up on. A batch
// that its receiver has surely not got is formatted anew; any other is sent again as
// it was.
func (s *Sender) Resume(ctx context.Context, g host.GroupName) error {
	c, err := s.courier(g)
	if err != nil {
		return err
	}
	return c.resume(ctx, "resumed")
}

// Status says how sending is for a group.
func (s *Sender) Status(ctx context.Context, g host.GroupName) (host.SendStatus, error) {
	c, err := s.courier(g)
	if err != nil {
		return host.SendStatus{}, err
	}
	return c.status(ctx)
}

// All returns the state of every group that is sent, for the metrics.
func (s *Sender) All() map[host.GroupName]host.SendState {
	all := map[host.GroupName]host.SendState{}
	s.each(func(c *courier) { all[c.group] = c.stateNow() })
	return all
}

// Attempts returns the attempts to send a delivery, oldest first.
func (s *Sender) Attempts(ctx context.Context, g host.GroupName, delivery string) ([]host.Attempt, error) {
	return s.config.Outbox.Attempts(ctx, g, delivery)
}
