package sender

import (
	"context"
	"time"

	"github.com/restante/restante/host"
)

// ask has the group sent, and returns what will be told of it.
func (c *courier) ask(urgent bool) <-chan host.SendResult {
	result := make(chan host.SendResult, 1)
	c.mu.Lock()
	c.asked = true
	if urgent {
		c.urgent = true
		c.waiting = append(c.waiting, waiter{c.sent, c.batches, result})
	}
	c.mu.Unlock()
	c.wake()
	return result
}

func (c *courier) urgentNow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.urgent
}

// takeAsked tells whether somebody has asked since it was called last.
func (c *courier) takeAsked() (asked, urgent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked, urgent = c.asked, c.urgent
	c.asked, c.urgent = false, false
	return asked, urgent
}

// tell tells all who wait how it is, unless somebody has asked since the turn began.
func (c *courier) tell(next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked && c.state != host.SendOff {
		return
	}
	for _, w := range c.waiting {
		w.result <- host.SendResult{
			Group: c.group, Messages: c.sent - w.sent, Batches: c.batches - w.batches, State: c.state, Reason: c.reason, Next: next,
		}
	}
	c.waiting = nil
}

// show says how it is.
func (c *courier) show(state host.SendState, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != state || c.reason != reason {
		c.state, c.reason, c.since = state, reason, c.now()
	}
}

func (c *courier) stateNow() host.SendState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *courier) pause(ctx context.Context, by string) error {
	err := c.change(ctx, func(s *host.Sending) {
		if s.Halt == nil {
			s.Halt = &host.SendHalt{State: host.SendPaused, Reason: "Paused by " + by + ".", By: by, Since: c.now()}
		}
	})
	c.log.Info("sending paused", "by", by)
	c.wake()
	return err
}

// resume lifts what the group waits for, if anything.
func (c *courier) resume(ctx context.Context, why string) error {
	err := c.change(ctx, func(s *host.Sending) {
		if s.Halt == nil {
			return
		}
		s.Halt = nil
		if b := s.Batch; b != nil {
			b.Attempts, b.First, b.Next = 0, time.Time{}, time.Time{}
			if b.Refused { // so another version of the plugin may write it
				s.Batch = nil
			}
			if s.Run == nil {
				s.Run = &host.SendRun{Trigger: host.TriggerAsked, Began: c.now()}
			}
		}
	})
	c.log.Info("sending resumed", "reason", why)
	c.wake()
	return err
}

// lastShown is how many attempts a status has.
const lastShown = 10

func (c *courier) status(ctx context.Context) (host.SendStatus, error) {
	counts, err := c.sender.config.Exchange.Store.Counts(ctx, c.group)
	if err != nil {
		return host.SendStatus{}, err
	}
	last, err := c.sender.config.Outbox.Latest(ctx, c.group, lastShown)
	if err != nil {
		return host.SendStatus{}, err
	}
	settings := c.sender.config.Settings(c.group)
	c.mu.Lock()
	s := host.SendStatus{
		Group: c.group, State: c.state, Reason: c.reason, Since: c.since, URL: settings.URL, Outstanding: counts.Unread,
		Schedule: c.known.Schedule, TimeZone: c.known.TimeZone, NextRun: c.nextRun, Last: last,
		OnAdd: settings.OnAdd, SendEmpty: settings.SendEmpty,
	}
	if b := c.known.Batch; b != nil {
		s.Delivery, s.Count, s.Attempts, s.First, s.Next = b.Delivery, b.Count, b.Attempts, b.First, b.Next
	}
	// Somebody may have halted it while the goroutine is at work.
	if h := c.known.Halt; h != nil && s.State != host.SendOff && s.State != host.SendSending {
		s.State, s.Reason, s.Since = h.State, h.Reason, h.Since
	} else if h == nil && s.State.Halted() && s.State != host.SendOff {
		s.State, s.Reason, s.Since = host.SendWaiting, "It was resumed, and goes on in a moment.", c.now()
	}
	c.mu.Unlock()
	if settings.Endpoint != nil {
		s.Breaker, s.BreakerUntil = c.sender.gate(settings.URL).breaker()
	}
	return s, nil
}
