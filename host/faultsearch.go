package host

import (
	"context"
	"errors"
	"slices"
)

// search is a search for messages at fault in one batch.
type search struct {
	judged
	cancel context.CancelFunc
	done   chan struct{}

	// Once done is closed: err is what fetches of the batch get or, if it is nil,
	// works is how many messages to go on with; 0 if nothing was found.
	err   error
	works int
}

// search begins a search or joins one for the same batch. It fails with an
// *UnavailableError if there is another one for the group, and returns nil if
// there is to be none.
func (s *Faults) search(ctx context.Context, q Queue, b Batch, limit int) (*search, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.group(q.Group)
	of := judgedOf(b, limit)
	switch {
	case s.closed:
		return nil, nil
	case g.search != nil && g.search.isOf(of):
		return g.search, nil
	case g.search != nil:
		return nil, beingLookedFor(q)
	}
	// The poller may go away; what it began is for the next one.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Search)
	begun := &search{judged: of, cancel: cancel, done: make(chan struct{})}
	g.search = begun
	s.busy.Go(func() {
		defer cancel()
		select {
		case s.turns <- struct{}{}:
			begun.works, begun.err = s.look(ctx, q, b, limit)
			<-s.turns
		case <-ctx.Done():
		}
		s.mu.Lock()
		g.search = nil
		s.mu.Unlock()
		close(begun.done)
	})
	return begun, nil
}

// look looks for messages at fault one after the other, and deals with them,
// until what is left works or the queue is blocked.
func (s *Faults) look(ctx context.Context, q Queue, b Batch, limit int) (works int, err error) {
	u, err := s.config.Formatters.Understudy(ctx, q.Plugin, q.Group)
	if err != nil {
		return 0, nil // the poller has been told that the plugin failed
	}
	defer u.Close(ctx)
	for held := false; ; held = true {
		h := halving{batch: b, write: func(ctx context.Context, part Batch) error {
			part.Token = s.config.Tokens.Seal(q.Group, part.IDs())
			d, err := u.WriteMessages(ctx, part)
			return checked(q, d, err)
		}}
		f, err := h.find(ctx)
		switch {
		case err != nil && held:
			return len(b.Messages), nil // the next fetch goes on
		case err != nil, !held && f.blamed == nil && f.front == 0:
			return 0, nil
		case f.front > 0:
			s.shrink(q, u.Edition(), f, b)
			return f.front, nil
		case f.blamed == nil:
			return len(b.Messages), nil
		}
		if err := s.settle(ctx, q, b, limit, u.Edition(), f.blamed, f.calls); err != nil {
			return 0, ownCause(ctx, err)
		}
		ids := idsOf(f.blamed)
		b.Messages = slices.DeleteFunc(slices.Clone(b.Messages), func(m Message) bool { return ids.Contains(m.ID) })
		if len(b.Messages) == 0 {
			return limit, nil
		}
	}
}

// ownCause drops an error that is only that the search was given up, which is
// not the poller's doing.
func ownCause(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// shrink has batches be smaller for a while.
func (s *Faults) shrink(q Queue, e Edition, f finding, b Batch) {
	now := s.config.Now()
	s.mu.Lock()
	s.group(q.Group).smaller = smaller{limit: f.front, edition: e, until: now.Add(smallerFor)}
	s.mu.Unlock()
	s.config.Report(Fault{
		Time: now.UTC(), Group: q.Group, Plugin: e.Origin, Batch: b.IDs(),
		Reason: f.reason, Policy: s.config.Policy(q.Group), Calls: f.calls,
	})
}
