package host

import (
	"context"
	"errors"
	"time"
)

// errAgain: the batch is to be taken again, with the limit that the guard has now.
var errAgain = errors.New("take the batch again")

// guard is one fetch, whose batch may have to become another one on the way.
type guard struct {
	faults *Faults // nil if nobody looks for messages at fault
	queue  Queue
	wanted int // messages
	limit  int // to take
	// deadline is zero until the plugin has failed.
	deadline time.Time
	searched bool
}

func (s *Faults) guard(q Queue, limit int) *guard {
	g := &guard{faults: s, queue: q, wanted: limit, limit: limit}
	if s != nil {
		g.limit = s.limit(q, limit)
	}
	return g
}

// format has a batch formatted by write, or finds out why it can't be. It fails
// with errAgain if there is another batch to go on with.
func (g *guard) format(ctx context.Context, b Batch, write func(context.Context, Queue, Batch) (Document, error)) (Document, error) {
	s := g.faults
	if s == nil {
		return write(ctx, g.queue, b)
	}
	if g.queue.Formats && len(b.Messages) > 0 {
		v, err := s.known(g.queue, judgedOf(b, g.limit))
		switch {
		case err != nil:
			return Document{}, err
		case v != nil && v.notHeld == "" && s.config.Policy(g.queue.Group) == FaultHold: // it was another
			return Document{}, g.settle(ctx, b, v.edition, v.rejections)
		case v != nil:
			return Document{}, v.err(g.queue)
		}
	}
	d, err := write(ctx, g.queue, b)
	switch {
	case err == nil:
		s.works(g.queue, b)
		return d, nil
	case len(b.Messages) == 0 || ctx.Err() != nil:
		return Document{}, err
	}
	return Document{}, g.failed(ctx, b, err)
}

// failed does what is to be done about a batch that the plugin failed over.
func (g *guard) failed(ctx context.Context, b Batch, err error) error {
	if g.deadline.IsZero() {
		g.deadline = time.Now().Add(g.faults.config.Patience)
	}
	if named := blamed(err, b); named != nil {
		return g.settle(ctx, b, g.faults.config.Formatters.Edition(g.queue.Plugin), named)
	}
	if failure(err) == "" {
		if _, ok := errors.AsType[*UnavailableError](err); ok && g.searched && g.pause(ctx) {
			return errAgain // the process that failed is being started again
		}
		return err
	}
	if v, _ := g.faults.known(g.queue, judgedOf(b, g.limit)); v != nil { // another fetch has found out meanwhile
		return v.err(g.queue)
	}
	search, why := g.faults.search(ctx, g.queue, b, g.limit)
	if why != nil {
		return why
	}
	if search == nil {
		return err
	}
	patience := time.NewTimer(time.Until(g.deadline))
	defer patience.Stop()
	select {
	case <-search.done:
	case <-patience.C:
		return beingLookedFor(g.queue)
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case search.err != nil:
		return search.err
	case search.works == 0:
		return err
	}
	g.limit, g.searched = search.works, true
	return g.again()
}

// settle deals with messages at fault, and returns errAgain if they are held.
func (g *guard) settle(ctx context.Context, b Batch, e Edition, rejections []Rejection) error {
	if g.deadline.IsZero() {
		g.deadline = time.Now().Add(g.faults.config.Patience)
	}
	if err := g.faults.settle(ctx, g.queue, b, g.limit, e, rejections, 0); err != nil {
		return err
	}
	return g.again()
}

// again returns errAgain if there is time left.
func (g *guard) again() error {
	if time.Now().Before(g.deadline) {
		return errAgain
	}
	return &UnavailableError{Plugin: g.queue.Plugin, Reason: "getting around messages that it can't format took too long for one fetch; the next one goes on"}
}

// pause waits for a moment, and tells whether there is time left.
func (g *guard) pause(ctx context.Context) bool {
	moment := time.NewTimer(50 * time.Millisecond)
	defer moment.Stop()
	select {
	case <-moment.C:
		return time.Now().Before(g.deadline)
	case <-ctx.Done():
		return false
	}
}
