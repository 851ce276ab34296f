package sender

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/sender/endpoint"
)

// work sends one batch, and returns when to go on.
func (c *courier) work(ctx context.Context, settings Settings, g *gate) time.Time {
	if err := c.lead(ctx); err != nil {
		if leased, ok := errors.AsType[*host.LeasedError](err); ok {
			c.show(host.SendWaiting, fmt.Sprintf("Another daemon sends it: %v.", leased))
			c.tell(leased.Until)
			return leased.Until
		}
		return c.stumble("the lease can't be taken", err)
	}
	f, done, err := c.batch(ctx, settings)
	if err != nil {
		if ctx.Err() != nil {
			return c.now()
		}
		return c.stumble("the batch can't be made", err)
	}
	if done {
		if err := c.finish(ctx); err != nil {
			return c.stumble("where sending stands can't be written", err)
		}
		return c.now()
	}
	b := *c.snapshot().Batch
	forced := c.hurry
	c.hurry = false
	c.show(host.SendSending, fmt.Sprintf("Delivery %s with %s is on its way.", b.Delivery, messages(b.Count)))
	leave, again, err := g.enter(ctx, forced)
	if err != nil {
		return c.now() // the daemon stops
	}
	if leave == nil {
		return c.rest(again)
	}
	answer, cut := c.attempt(ctx, settings, b, f)
	if cut {
		leave(unknown)
	} else if answer.Outcome() == endpoint.Retry && answer.Status != http.StatusTooManyRequests {
		leave(unanswered)
	} else {
		leave(answered)
	}
	return c.follows(ctx, settings, b, answer, cut)
}

// batch returns the batch that is to be sent now: the one that is on its way or,
// when that is done with, the next one. It is written down as on its way when it
// returns. There is none if all is sent.
func (c *courier) batch(ctx context.Context, settings Settings) (f host.Fetched, done bool, err error) {
	x, s := c.sender.config.Exchange, c.snapshot()
	if s.Batch != nil {
		again, err := x.TakeAgain(ctx, c.group, *s.Batch)
		if err != nil {
			return host.Fetched{}, false, err
		}
		if again != nil {
			if s.Batch.First.IsZero() {
				err = c.change(ctx, func(s *host.Sending) { s.Batch.First = c.now() })
			}
			return *again, false, err
		}
		c.log.Info("batch on its way is done with, or was changed", "delivery", s.Batch.Delivery, "messages", s.Batch.IDs)
	}
	counts, err := x.Store.Counts(ctx, c.group)
	if err != nil {
		return host.Fetched{}, false, err
	}
	empty := counts.Unread == 0
	if run := s.Run; run == nil || empty && (!settings.SendEmpty || run.Batches > 0 || run.Trigger == host.TriggerAdded) {
		return host.Fetched{}, true, nil
	}
	if f, err = x.Take(ctx, c.group, settings.Limit, settings.MaxBytes, settings.URL); err != nil {
		return host.Fetched{}, false, err
	}
	if c.stumbled > 0 {
		c.stumbled, c.again = 0, time.Time{}
		c.log.Info("messages can be sent again")
	}
	b := host.Outgoing{
		Delivery: f.Delivery, Key: f.Delivery, Token: f.Token, IDs: f.IDs.String(), Count: f.IDs.Count(), Request: f.Request, First: c.now(),
	}
	if b.Count == 0 { // each of them is another one, though their bytes are the same
		b.Key += "-" + strconv.FormatInt(s.Run.Began.UnixMilli(), 36)
	}
	c.begun = b.Key
	return f, false, c.change(ctx, func(s *host.Sending) { s.Batch = &b })
}

// finish ends the run.
func (c *courier) finish(ctx context.Context) error {
	run := c.snapshot().Run
	err := c.change(ctx, func(s *host.Sending) { s.Run, s.Batch = nil, nil })
	if err == nil && run != nil && run.Batches > 0 {
		c.log.Info("messages sent", "trigger", string(run.Trigger), "messages", run.Sent, "batches", run.Batches)
	}
	c.hurry = false
	return err
}

// attempt makes one request. Cut says that there is no answer since the daemon stops
// or has lost its lease.
func (c *courier) attempt(ctx context.Context, settings Settings, b host.Outgoing, f host.Fetched) (answer endpoint.Answer, cut bool) {
	r, err := request(b, f, c.lease.Number)
	if err != nil {
		return endpoint.Answer{Began: c.now(), Err: err, Permanent: true}, false
	}
	r.Group, r.Time = string(c.group), c.now()
	within, stop := c.within(ctx)
	defer stop()
	answer = settings.Endpoint.Send(within, r)
	cut = within.Err() != nil && answer.Outcome() == endpoint.Retry
	return answer, cut
}

// within returns a context for one attempt: it ends some time after ctx, so that
// what is nearly done is finished, and when the lease is lost.
func (c *courier) within(ctx context.Context) (context.Context, func()) {
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	lease := c.lease
	go func() {
		defer close(stopped)
		renew := time.NewTicker(leaseTerm / 3)
		defer renew.Stop()
		ended := ctx.Done()
		var grace <-chan time.Time
		for {
			select {
			case <-within.Done():
				return
			case <-grace:
				cancel()
			case <-ended:
				ended, grace = nil, time.After(c.sender.config.Grace)
			case <-renew.C:
				renewed, err := c.sender.config.Leases.Renew(within, lease, leaseTerm)
				if err == nil {
					lease = renewed
				} else if errors.Is(err, host.ErrConflict) || !c.now().Before(lease.Expires) {
					c.log.Warn("lease lost", "error", err)
					cancel()
				}
			}
		}
	}()
	return within, func() {
		cancel()
		<-stopped
		c.lease = lease
	}
}

// request builds what is sent.
func request(b host.Outgoing, f host.Fetched, lease uint64) (endpoint.Request, error) {
	to, err := url.Parse(b.Request.URL)
	if err != nil {
		return endpoint.Request{}, fmt.Errorf("the URL of the plugin is malformed: %w", err)
	}
	r := endpoint.Request{
		Method: b.Request.Method, Path: to.EscapedPath(), Query: to.Query(), Header: http.Header{},
		Body: f.Document.Body, ContentType: f.Document.ContentType, Filename: f.Document.Filename, ID: b.Key, Lease: lease,
	}
	for _, h := range b.Request.Headers {
		r.Header.Add(h.Name, h.Value)
	}
	return r, nil
}

// leaseTerm is for how long a lease is taken.
const leaseTerm = 30 * time.Second

// lead makes sure that this daemon, and no other, sends the group.
func (c *courier) lead(ctx context.Context) (err error) {
	leases, left := c.sender.config.Leases, c.lease.Expires.Sub(c.now())
	if left > leaseTerm/2 && left <= leaseTerm {
		return nil
	}
	if left > 0 {
		c.lease, err = leases.Renew(ctx, c.lease, leaseTerm)
		if err == nil || !errors.Is(err, host.ErrConflict) {
			return err
		}
	}
	c.lease, err = leases.Take(ctx, "send/"+string(c.group), leaseTerm)
	return err
}

func messages(n uint64) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
