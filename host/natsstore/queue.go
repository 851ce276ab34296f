package natsstore

import (
	"context"
	"sync"
	"time"

	"github.com/restante/restante/host"
)

// queue gathers what waits for one thing, such as a group, while a goroutine deals
// with what came before: those that come at the same time share the cost, and a
// lone one waits for nobody. The goroutine ends when nothing waits.
type queue[T any] struct {
	mu      sync.Mutex
	waiting []T
	running bool
}

// add has run deal with an item, together with others. Run gets them in order.
func (q *queue[T]) add(s *Store, item T, run func([]T)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running && s.isClosed() || !q.running && !s.begin() {
		return host.ErrClosed
	}
	q.put(s, item, run)
	return nil
}

// again is add for what has begun before the store was closed. It is called by a
// goroutine that the store waits for.
func (q *queue[T]) again(s *Store, item T, run func([]T)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.running {
		s.running.Add(1)
	}
	q.put(s, item, run)
}

// put adds an item, and starts the goroutine if need be, which is counted already.
func (q *queue[T]) put(s *Store, item T, run func([]T)) {
	q.waiting = append(q.waiting, item)
	if q.running {
		return
	}
	q.running = true
	go func() {
		defer s.running.Done()
		for {
			q.mu.Lock()
			items := q.waiting
			q.waiting = nil
			q.running = len(items) > 0
			q.mu.Unlock()
			if len(items) == 0 {
				return
			}
			run(items)
		}
	}()
}

// waiter is somebody who waits for the outcome of a write. What run leaves behind
// for it may be read only if wait returned what end was given.
type waiter struct {
	ctx  context.Context
	err  error
	done chan struct{}
}

func newWaiter(ctx context.Context) waiter { return waiter{ctx: ctx, done: make(chan struct{})} }

// end gives the outcome.
func (w *waiter) end(err error) {
	w.err = err
	close(w.done)
}

// wait returns the outcome, or an error that says that it is not known. The write
// may go on then.
func (w *waiter) wait(s *Store) error {
	select {
	case <-w.done:
		return w.err
	case <-w.ctx.Done():
	}
	// What ended it knows better why, if it ends at the same time.
	t := time.NewTimer(10 * time.Millisecond)
	defer t.Stop()
	select {
	case <-w.done:
		return w.err
	case <-t.C:
	}
	return s.unavailable(w.ctx, context.DeadlineExceeded)
}

// together returns a context for dealing with what several wait for. It lasts
// until the last of them gives up.
func together(all []*waiter) (context.Context, context.CancelFunc) {
	var latest time.Time
	for _, w := range all {
		end, ok := w.ctx.Deadline()
		if !ok {
			end = time.Now().Add(callTime)
		}
		if end.After(latest) {
			latest = end
		}
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(all[0].ctx), latest)
	return ctx, cancel
}
