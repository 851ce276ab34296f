package sender

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/sender/endpoint"
)

const (
	// firstPause is how long the pause after the first failed attempt is at most; it
	// doubles up to longestPause.
	firstPause   = time.Second
	longestPause = 15 * time.Minute
)

// backoff returns a random pause after so many failed attempts: full jitter, so that
// those who failed together do not come back together.
func backoff(attempts int) time.Duration {
	most := min(firstPause<<min(attempts-1, 20), longestPause)
	return rand.N(most) + time.Millisecond
}

// follows does what follows from an attempt, and returns when to go on.
func (c *courier) follows(ctx context.Context, settings Settings, b host.Outgoing, answer endpoint.Answer, cut bool) time.Time {
	a := attempt(answer)
	if cut {
		a.Outcome = host.AttemptCut
	}
	c.record(ctx, b, answer, a)
	switch a.Outcome {
	case host.AttemptSent:
		c.accepted = b.Key
		return c.arrived(ctx, settings, b)
	case host.AttemptRefused:
		return c.refused(ctx, settings, b, answer)
	case host.AttemptFailed:
		return c.failed(ctx, settings, b, answer)
	}
	return c.now()
}

// attempt is what is kept of an answer.
func attempt(a endpoint.Answer) host.Attempt {
	return host.Attempt{
		Time: a.Began.UTC(), Method: a.Method, URL: a.URL, Address: a.Address, Took: a.Took,
		Status: a.Status, Headers: few(a.Header), Answer: string(a.Body),
		Outcome: map[endpoint.Outcome]host.AttemptOutcome{
			endpoint.OK: host.AttemptSent, endpoint.Retry: host.AttemptFailed, endpoint.Block: host.AttemptRefused,
		}[a.Outcome()],
	}
}

// record keeps an attempt, and tells of it.
func (c *courier) record(ctx context.Context, b host.Outgoing, answer endpoint.Answer, a host.Attempt) {
	c.sender.config.Observe(c.group, a.Outcome)
	a.Delivery, a.Number, a.Lease, a.Messages = b.Delivery, b.Attempts+1, c.lease.Number, b.IDs
	if a.Outcome != host.AttemptSent {
		a.Error = inWords(answer)
		c.log.Warn("messages not sent", "delivery", b.Delivery, "attempt", a.Number, "outcome", string(a.Outcome), "status", a.Status, "error", a.Error)
	} else {
		c.log.Debug("batch sent", "delivery", b.Delivery, "attempt", a.Number, "status", a.Status, "messages", b.Count)
	}
	if err := c.sender.config.Outbox.Record(context.WithoutCancel(ctx), c.group, a); err != nil {
		c.log.Warn("attempt not recorded", "delivery", b.Delivery, "error", err)
	}
}

// keptHeaders are those of an answer that help to find out what happened.
var keptHeaders = []string{"Content-Type", "Date", "Location", "Retry-After", "Server", "Www-Authenticate", "X-Correlation-Id", "X-Request-Id"}

func few(h http.Header) (kept []host.HTTPHeader) {
	for _, name := range keptHeaders {
		if v := h.Get(name); v != "" {
			kept = append(kept, host.HTTPHeader{Name: name, Value: v})
		}
	}
	return kept
}

// inWords says what went wrong.
func inWords(a endpoint.Answer) string {
	if a.Err != nil {
		return a.Err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("the receiver answered %d %s", a.Status, http.StatusText(a.Status)))
}

// arrived marks a batch that the receiver has accepted. If that fails it is tried
// again, without sending the batch again.
func (c *courier) arrived(ctx context.Context, settings Settings, b host.Outgoing) time.Time {
	ctx = context.WithoutCancel(ctx)
	if _, err := c.sender.config.Exchange.Sent(ctx, c.group, b, settings.URL); err != nil {
		return c.stumble("the receiver has accepted a batch, which can't be marked", err)
	}
	c.accepted = ""
	c.stumbled, c.again = 0, time.Time{}
	c.changing.Lock()
	c.mu.Lock()
	c.sent += b.Count
	c.batches++
	// On disk with what is written next: until then its messages tell, which are
	// not unread any more.
	next := c.known.Clone()
	if next.Batch = nil; next.Run != nil {
		next.Run.Sent += b.Count
		next.Run.Batches++
	}
	c.known = next
	c.mu.Unlock()
	c.changing.Unlock()
	if c.reported || c.shared { // or by another daemon
		if err := c.sender.config.Inbox.End(ctx, host.ErrorSend, c.group, ""); err != nil {
			c.log.Warn("error inbox not written", "kind", string(host.ErrorSend), "error", err)
		} else {
			c.reported = false
		}
	}
	if b.Count == 0 { // there is nothing to mark that would tell
		if err := c.change(ctx, func(s *host.Sending) { s.Batch = nil }); err != nil {
			return c.stumble("where sending stands can't be written", err)
		}
	}
	return c.now()
}

func failedAttempts(n int) string {
	if n == 1 {
		return "1 attempt has failed"
	}
	return fmt.Sprintf("%d attempts have failed", n)
}

// failed has a batch sent again later, or gives up.
func (c *courier) failed(ctx context.Context, settings Settings, b host.Outgoing, answer endpoint.Answer) time.Time {
	now, attempts := c.now(), b.Attempts+1
	end := b.First.Add(settings.GiveUp)
	next := now.Add(max(backoff(attempts), answer.RetryAfter))
	if next.After(end) {
		next = end
	}
	reason := fmt.Sprintf("%s since %s, the last: %s", failedAttempts(attempts), b.First.Format(time.RFC3339), inWords(answer))
	over := !now.Before(end)
	err := c.change(ctx, func(s *host.Sending) {
		if s.Batch == nil || s.Batch.Key != b.Key {
			return
		}
		s.Batch.Attempts, s.Batch.Next = attempts, next
		if over && s.Halt == nil {
			s.Halt = &host.SendHalt{State: host.SendGaveUp, Reason: reason + ". Nothing more is sent until it is resumed.", Since: now, Settings: settings.Fingerprint}
		}
	})
	c.show(host.SendWaiting, reason+"; the next attempt comes by itself.")
	if err != nil {
		return c.stumble("where sending stands can't be written", err)
	}
	if over {
		c.report(ctx, b, answer, "No attempt to send messages has succeeded for "+host.Duration(settings.GiveUp)+", and the queue waits. Mend what is wrong and resume it.")
		return now
	}
	c.tell(next)
	return earlier(next, c.nextBegin())
}

// refused has the group wait for somebody.
func (c *courier) refused(ctx context.Context, settings Settings, b host.Outgoing, answer endpoint.Answer) time.Time {
	now := c.now()
	reason := inWords(answer) + ". The same would happen again, so nothing more is sent until it is resumed, or the configuration changes."
	err := c.change(ctx, func(s *host.Sending) {
		if s.Batch == nil || s.Batch.Key != b.Key {
			return
		}
		// Only of a batch that no other attempt was ever made for it is known that
		// nobody has it.
		s.Batch.Refused = c.begun == b.Key && b.Attempts == 0
		s.Batch.Attempts++
		if s.Halt == nil {
			s.Halt = &host.SendHalt{State: host.SendBlocked, Reason: strings.ToUpper(reason[:1]) + reason[1:], Since: now, Settings: settings.Fingerprint}
		}
	})
	if err != nil {
		return c.stumble("where sending stands can't be written", err)
	}
	c.report(ctx, b, answer, "The receiver has refused messages, and the queue waits. Mend what is wrong and resume it.")
	return now
}

// report puts what went wrong into the error inbox.
func (c *courier) report(ctx context.Context, b host.Outgoing, answer endpoint.Answer, title string) {
	c.reported = true
	c.log.Error("sending has stopped until somebody resumes it", "delivery", b.Delivery, "attempts", b.Attempts+1, "status", answer.Status, "error", inWords(answer))
	r := host.ErrorReport{
		Kind: host.ErrorSend, Group: c.group, Title: title,
		Details: fmt.Sprintf("Delivery %s, messages %s.\n%s\n%s", b.Delivery, b.IDs, inWords(answer), answer.Body),
	}
	if err := c.sender.config.Inbox.Raise(context.WithoutCancel(ctx), r); err != nil {
		c.log.Warn("error inbox not written", "kind", string(host.ErrorSend), "error", err)
	}
}
