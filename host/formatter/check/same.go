package check

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/purity"
)

// atOnce is how many calls are made at the same time.
const atOnce = 8

// repeated checks that a batch always gives the same bytes: in repeated calls,
// in calls at the same time, and after a call that was cancelled.
func (r *grouped) repeated(ctx context.Context) {
	var reference purity.Answer
	var b host.Batch
	known := false
	r.check(r.name, "same bytes", func(l *Check) {
		if r.skip(ctx, l) {
			return
		}
		var accepted host.Batch
		b = batch(r.name, filled(r.samples, sameMessages, sameBytes))
		reference, accepted, _ = r.first.writeAccepted(ctx, b)
		if len(accepted.Messages) > 0 {
			b = accepted
			if len(reference.Rejections) > 0 { // given up: the answer is that of a larger batch
				reference = r.first.write(ctx, b)
			}
		}
		if reference.Err != nil {
			r.failed(ctx, l, &r.first, reference.Err)
			return
		}
		known = r.repeats(ctx, l, b, reference)
	})
	r.check(r.name, "concurrent calls", func(l *Check) {
		if r.skip(ctx, l) {
			return
		}
		if !known {
			l.is(Skipped, "there is no document to compare with", "")
			return
		}
		r.concurrent(ctx, l, b, reference)
	})
	r.check(r.name, "cancelled call", func(l *Check) {
		if r.skip(ctx, l) {
			return
		}
		r.cancelled(ctx, l, b, reference, known)
	})
}

// repeats formats the batch over and over, in turn in the two processes and the
// second half in another second, and tells whether all answers were the same.
func (r *grouped) repeats(ctx context.Context, l *Check, b host.Batch, first purity.Answer) bool {
	runs := purity.Series{first}
	for len(runs) < r.config.Repeats {
		if len(runs) == (r.config.Repeats+1)/2 && !nextSecond(ctx, first.At) {
			break
		}
		s := &r.first
		if len(runs)%2 == 1 {
			s = &r.second
		}
		o := (*s).write(ctx, b)
		if o.Err != nil {
			r.failed(ctx, l, s, fmt.Errorf("run %d: %w", len(runs)+1, o.Err))
			return false
		}
		runs = append(runs, o)
	}
	found := runs.Find()
	if found == nil {
		l.Seen = fmt.Sprintf("%d runs over 2 processes gave the same %s", len(runs), what(first))
		if seen := purity.Suspect(first, b); seen != "" {
			l.warn(seen, "take everything from the batch: another computer or day would give other bytes")
		}
		return true
	}
	l.is(Failed, found.String(), "the same batch must always give the same bytes: documents are kept, compared and replayed")
	if found.Cause != "" {
		l.Do = found.Cause + "; " + l.Do
	}
	l.Details = found.Details
	return false
}

// nextSecond waits for the second after that of a time.
func nextSecond(ctx context.Context, since time.Time) bool {
	timer := time.NewTimer(time.Until(since.Truncate(time.Second).Add(time.Second + 10*time.Millisecond)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// what names an answer.
func what(o purity.Answer) string {
	if len(o.Rejections) > 0 {
		return count(len(o.Rejections), "rejection")
	}
	return size(len(o.Document.Body))
}

func (r *grouped) concurrent(ctx context.Context, l *Check, b host.Batch, reference purity.Answer) {
	answers := make([]purity.Answer, atOnce)
	var calls sync.WaitGroup
	for i := range answers {
		calls.Go(func() { answers[i] = r.first.write(ctx, b) })
	}
	calls.Wait()
	for _, o := range answers {
		if o.Err != nil {
			r.failed(ctx, l, &r.first, o.Err)
			return
		}
		if !o.Same(reference) {
			l.is(Failed, "calls at the same time gave other bytes than calls one after the other",
				"formatters are called concurrently: keep nothing between calls that is not locked")
			l.Details = purity.Difference(reference, o, "before", "now")
			return
		}
	}
	l.Seen = fmt.Sprintf("%d calls at the same time gave the same %s", atOnce, what(reference))
}

// cancelled gives up a large call, and then makes a usual one.
func (r *grouped) cancelled(ctx context.Context, l *Check, b host.Batch, reference purity.Answer, known bool) {
	within, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	r.first.write(within, batch(r.name, filled(r.samples, manyMessages, largeBytes)))
	o := r.first.write(ctx, b)
	switch {
	case o.Err != nil:
		r.failed(ctx, l, &r.first, o.Err)
	case known && !o.Same(reference):
		l.is(Failed, "the call after a cancelled one gave other bytes", "keep nothing between calls")
		l.Details = purity.Difference(reference, o, "before", "now")
	default:
		l.Seen = "the next call worked, " + milliseconds(o.Took)
	}
}
