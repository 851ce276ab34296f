package sender

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
)

// courier sends one group. One goroutine runs it; what others ask for is under mu.
type courier struct {
	sender *Sender
	group  host.GroupName
	log    hclog.Logger
	cancel context.CancelFunc
	woken  chan struct{}
	shared bool // other daemons may send the group, or have it changed

	// Only for the goroutine.
	schedule schedule
	lease    host.Lease
	accepted string    // the key of a batch that has arrived, and is not marked yet
	begun    string    // the key of a batch that was first sent by this process
	stumbled int       // times in a row that nothing could be sent for another reason
	again    time.Time // when to look again after that
	why      string    // and the reason
	addedAt  time.Time // when to send for a message that was added; zero if none was
	hurry    bool      // go without waiting
	reported bool      // there may be a report in the inbox

	changing sync.Mutex // held while known is changed or read
	loaded   bool

	mu      sync.Mutex
	known   host.Sending // as it is in the store, but for batches that are marked
	state   host.SendState
	reason  string
	since   time.Time
	nextRun time.Time
	asked   bool
	urgent  bool
	waiting []waiter
	sent    uint64 // messages since the start
	batches uint64
}

// waiter is told what comes of a wish to send.
type waiter struct {
	sent, batches uint64 // when it began to wait
	result        chan host.SendResult
}

// glance is how long a courier sleeps at most: a clock that was set, or a hint that
// was lost, is noticed then.
// It is glanceAtOthers where other daemons may do something, of which there is none.
const (
	glance         = time.Minute
	glanceAtOthers = time.Second
)

func newCourier(s *Sender, g host.GroupName, cancel context.CancelFunc) *courier {
	return &courier{
		sender: s, group: g, log: s.config.Log.With("group", string(g)), cancel: cancel, woken: make(chan struct{}, 1),
		shared: host.IsShared(s.config.Exchange.Store),
		known:  host.Sending{Group: g}, state: host.SendIdle, reported: true,
	}
}

func (c *courier) now() time.Time { return c.sender.config.Now().UTC() }

func (c *courier) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// run does what is to be done, again and again, until ctx ends.
func (c *courier) run(ctx context.Context) {
	changed, stop := c.sender.config.Exchange.Store.Watch(c.group)
	defer stop()
	defer c.end(ctx)
	for ctx.Err() == nil {
		next := c.turn(ctx)
		pause := glance
		if c.shared {
			pause = glanceAtOthers
		}
		if !next.IsZero() {
			pause = min(max(next.Sub(c.now()), 0), pause)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-c.woken:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// end gives back what the courier has.
func (c *courier) end(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	if c.lease.Number != 0 {
		if err := c.sender.config.Leases.Release(ctx, c.lease); err != nil {
			c.log.Debug("lease not given back", "error", err)
		}
	}
	c.show(host.SendOff, host.ErrNotSending.Error())
	c.tell(time.Time{})
}

// turn does what is to be done now, and returns when there is something to do next;
// zero if only somebody else can tell.
func (c *courier) turn(ctx context.Context) (next time.Time) {
	if err := c.load(ctx); err != nil {
		return c.stumble("where sending stands can't be read", err)
	}
	if now := c.now(); now.Before(c.again) && !c.urgentNow() {
		c.show(host.SendWaiting, c.why)
		c.tell(c.again)
		return c.again
	}
	settings := c.sender.config.Settings(c.group).completed()
	if err := c.begin(ctx, settings); err != nil {
		return c.stumble("where sending stands can't be written", err)
	}
	s, now := c.snapshot(), c.now()
	if s.Batch != nil && c.accepted == s.Batch.Key { // only the mark is left to do
		return c.arrived(ctx, settings, *s.Batch)
	}
	if why := c.off(settings); why != "" {
		c.hurry, c.addedAt = false, time.Time{}
		c.show(host.SendOff, why)
		c.tell(time.Time{})
		return c.nextBegin()
	}
	if s.Halt != nil {
		c.hurry = false
		c.show(s.Halt.State, s.Halt.Reason)
		c.tell(time.Time{})
		return c.nextBegin()
	}
	if s.Run == nil {
		c.show(host.SendIdle, "")
		c.tell(time.Time{})
		return c.nextBegin()
	}
	gate := c.sender.gate(settings.URL)
	if c.hurry {
		return c.work(ctx, settings, gate)
	}
	if b := s.Batch; b != nil && now.Before(b.Next) {
		if c.stateNow() != host.SendWaiting {
			c.show(host.SendWaiting, failedAttempts(b.Attempts)+"; the next one comes by itself.")
		}
		c.tell(b.Next)
		return earlier(b.Next, c.nextBegin())
	}
	if breaker, until := gate.breaker(); breaker == "open" {
		return c.rest(until)
	}
	return c.work(ctx, settings, gate)
}

// rest says that the receiver is left alone until a time.
func (c *courier) rest(until time.Time) time.Time {
	c.show(host.SendWaiting, fmt.Sprintf("The receiver failed again and again, and is left alone until %s.", until.UTC().Format(time.RFC3339)))
	c.tell(until)
	return earlier(until, c.nextBegin())
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}

// off returns why nothing can be sent, whatever happens, or nothing.
func (c *courier) off(settings Settings) string {
	if settings.Endpoint == nil {
		return "The configuration does not say where to send it: a block endpoint in the block of the queue does."
	}
	return c.sender.config.Place().Off
}

// load reads where sending stands, once or, if other daemons may change it, anew.
func (c *courier) load(ctx context.Context) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	first := !c.loaded
	if !first && !c.shared {
		return nil
	}
	known, err := c.sender.config.Outbox.Renew(ctx, c.snapshot())
	if err != nil {
		return err
	}
	c.loaded = true
	c.keep(known)
	if first && (known.Batch != nil || known.Run != nil) {
		c.log.Info("sending goes on", "delivery", deliveryOf(known.Batch))
	}
	if first && known.Halt != nil {
		c.log.Warn("sending waits for somebody", "state", string(known.Halt.State), "reason", known.Halt.Reason)
	}
	return nil
}

func deliveryOf(b *host.Outgoing) string {
	if b == nil {
		return ""
	}
	return b.Delivery
}

func (c *courier) snapshot() host.Sending {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known.Clone()
}

// change changes where sending stands, and has it on disk when it returns. It may
// call change more than once.
func (c *courier) change(ctx context.Context, change func(*host.Sending)) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	ctx = context.WithoutCancel(ctx)
	next := c.snapshot()
	for {
		change(&next)
		put, err := c.sender.config.Outbox.Put(ctx, next)
		if err == nil {
			c.keep(put)
			return nil
		}
		if !errors.Is(err, host.ErrConflict) {
			return err
		}
		if next, err = c.sender.config.Outbox.Sending(ctx, c.group); err != nil {
			return err
		}
	}
}

func (c *courier) keep(s host.Sending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = s
}

// stumble notes that something other than the receiver stands in the way, and
// returns when to try again.
func (c *courier) stumble(what string, err error) time.Time {
	pause := min(time.Second<<min(c.stumbled, 6), time.Minute)
	c.stumbled++
	c.again, c.why = c.now().Add(pause), fmt.Sprintf("%s: %v", what, err)
	if c.stumbled == 1 {
		c.log.Warn("messages can't be sent now", "reason", what, "error", err)
	}
	c.show(host.SendWaiting, c.why)
	c.tell(c.again)
	return c.again
}
