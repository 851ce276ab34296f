package natsstore

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// change is one change of a table that waits for its commit. Its run may be called
// again when another daemon was faster. It must find every reason to fail before it
// changes anything, since it shares the commit with others, and must not touch what
// the caller has.
type change struct {
	waiter
	run func(*commit) error
	// needs are the keys of cells that run is going to look at.
	needs []string
	// messages and bytes are about how much it writes.
	messages, bytes int
}

// Limits of one commit. What waits beyond them goes into the next.
const (
	maxCommitMessages = 400
	maxCommitBytes    = 8 << 20
)

// do commits a change, together with others that wait.
func (t *table) do(ctx context.Context, c *change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.waiter = newWaiter(ctx)
	if err := t.queue.add(t.store, c, t.commitAll); err != nil {
		return err
	}
	return c.wait(t.store)
}

// commitAll commits changes in as few commits as they fit into.
func (t *table) commitAll(all []*change) {
	for len(all) > 0 {
		n, messages, bytes := 0, 0, 0
		for ; n < len(all); n++ {
			messages += all[n].messages + 1
			bytes += all[n].bytes
			if n > 0 && (messages > maxCommitMessages || bytes > maxCommitBytes) {
				break
			}
		}
		t.commitSome(all[:n])
		all = all[n:]
	}
}

// commit is a commit in the making.
type commit struct {
	ctx   context.Context
	table *table
	by    operation

	cells  map[string]*cell // those that were looked at, as they are now
	stale  map[string]bool  // those that are from memory, and may have been changed
	put    []string         // the keys of the cells that are changed, in order
	before map[string]*cell // what those were
	added  []*nats.Msg      // what needs no comparing
	all    []*nats.Msg      // all that is to be written, once that is known
	// cleanups are done once all is written. They need not succeed.
	cleanups []func(context.Context) error
}

// get returns a cell, which must not be changed.
func (c *commit) get(key string) (*cell, error) {
	if found := c.cells[key]; found != nil {
		return found, nil
	}
	if known := c.table.lookUp(key); known != nil {
		c.cells[key], c.stale[key] = known, true
		return known, nil
	}
	found, err := c.table.load(c.ctx, key)
	if err == nil {
		c.cells[key] = found
	}
	return found, err
}

// changed tells whether a cell is changed by the commit, so that it has no sequence
// yet.
func (c *commit) changed(key string) bool { return c.before[key] != nil }

// set puts a new version of a cell in the place of the old one, which get returned.
func (c *commit) set(next *cell) {
	old := c.cells[next.key]
	if c.before[next.key] == nil {
		c.put = append(c.put, next.key)
		c.before[next.key] = old
	}
	if old.pieces > 0 && old.named != next.named && !lasting(next.key) {
		c.deletePieces(old)
	}
	next.operations = pushOperation(c.by, c.before[next.key].operations)
	c.cells[next.key] = next
}

func (c *commit) deletePieces(old *cell) {
	c.cleanups = append(c.cleanups, func(ctx context.Context) error { return c.table.purgePieces(ctx, old) })
}

// delete deletes a cell, which get returned: a version that says so takes its place,
// and is deleted afterwards. So a delete is compared as every change is.
func (c *commit) delete(key string) {
	old := c.cells[key]
	written := &cell{key: key, gone: true, named: old.named, pieces: old.pieces}
	c.set(written)
	c.cleanups = append(c.cleanups, func(ctx context.Context) error {
		if written.seq == 0 {
			return nil // the same commit put another in its place
		}
		return c.table.tidyUp(ctx, written)
	})
}

// add writes a cell that nobody else writes, and that is not there yet.
func (c *commit) add(key string, value []byte) {
	c.added = append(c.added, c.encode(&cell{key: key, value: value, operations: []operation{c.by}})...)
}

// encode returns the messages of a cell, itself last.
func (c *commit) encode(next *cell) (all []*nats.Msg) {
	if next.decoded != nil {
		next.value = next.decoded.encode()
	}
	whole, rest := next.value, next.attached
	if len(whole) > pieceSize {
		next.value, rest = whole[:pieceSize], whole[pieceSize:]
	}
	if len(rest) > 0 {
		if next.named = c.by.String(); lasting(next.key) {
			next.named = "0"
		}
		all = c.table.encodePieces(next.key, next.named, c.by, rest)
		next.pieces = len(all)
	}
	all = append(all, c.table.encode(next))
	next.value, next.attached = whole, nil
	return all
}

// finish makes the messages that are to be written: what is compared comes last, so
// that whoever sees a cell finds all else that was written with it.
func (c *commit) finish() {
	c.all = c.added
	for _, key := range c.put {
		all := c.encode(c.cells[key])
		before := strconv.FormatUint(c.before[key].seq, 10)
		all[len(all)-1].Header.Set("Nats-Expected-Last-Subject-Sequence", before)
		c.all = append(c.all, all...)
	}
}

// commitSome commits changes at once and gives them their outcomes.
func (t *table) commitSome(all []*change) {
	var waiting []*change
	for _, change := range all {
		if err := change.ctx.Err(); err != nil {
			change.end(err)
			continue
		}
		waiting = append(waiting, change)
	}
	if len(waiting) == 0 {
		return
	}
	var waiters []*waiter
	for _, change := range waiting {
		waiters = append(waiters, &change.waiter)
	}
	ctx, cancel := together(waiters)
	defer cancel()
	c, outcomes, err := t.commitOnce(ctx, waiting)
	for i, change := range waiting {
		if err != nil {
			change.end(err)
			continue
		}
		change.end(outcomes[i])
	}
	if err == nil && len(c.cleanups) > 0 {
		t.store.cleanUp(ctx, c.cleanups)
	}
}

// commitOnce runs changes until their commit is written, and returns what each of
// them said.
func (t *table) commitOnce(ctx context.Context, all []*change) (c *commit, outcomes []error, err error) {
	fresh := map[string]*cell{}
	for n := 0; ; n++ {
		if err := t.loadNeeds(ctx, all, fresh); err != nil {
			return nil, nil, err
		}
		c = &commit{ctx: ctx, table: t, by: t.store.operation(),
			cells: map[string]*cell{}, stale: map[string]bool{}, before: map[string]*cell{}}
		for key, known := range fresh {
			c.cells[key] = known
		}
		outcomes = outcomes[:0]
		for _, change := range all {
			outcomes = append(outcomes, change.run(c))
		}
		// What was only looked at must be as it is now; what is written is
		// compared by the server.
		again := false
		for key := range c.stale {
			if c.before[key] == nil {
				loaded, err := t.load(ctx, key)
				if err != nil {
					return nil, nil, err
				}
				again = again || loaded.seq != c.cells[key].seq
				fresh[key] = loaded
			}
		}
		if again {
			continue
		}
		if len(c.put)+len(c.added) == 0 {
			return c, outcomes, nil
		}
		c.finish()
		err := t.write(ctx, c)
		if !errors.Is(err, errTooLate) {
			return c, outcomes, err
		}
		clear(fresh)
		for key := range c.cells {
			t.forget(key)
		}
		if !t.store.pause(ctx, min(n, 6)) {
			return nil, nil, t.store.unavailable(ctx, err)
		}
	}
}

// loadNeeds has the cells at hand that changes are going to look at.
func (t *table) loadNeeds(ctx context.Context, all []*change, fresh map[string]*cell) error {
	var keys []string
	asked := map[string]bool{}
	for _, change := range all {
		for _, key := range change.needs {
			if !asked[key] && fresh[key] == nil && t.lookUp(key) == nil {
				asked[key] = true
				keys = append(keys, key)
			}
		}
	}
	var mu sync.Mutex
	return each(keys, 32, func(key string) error {
		c, err := t.load(ctx, key)
		if err == nil {
			mu.Lock()
			fresh[key] = c
			mu.Unlock()
		}
		return err
	})
}

// each calls do for all items, some of them at the same time, and returns the first
// error.
func each[T any](items []T, atOnce int, do func(T) error) error {
	if len(items) == 1 {
		return do(items[0])
	}
	var wait sync.WaitGroup
	free := make(chan struct{}, atOnce)
	errs := make(chan error, len(items))
	for _, item := range items {
		free <- struct{}{}
		wait.Go(func() {
			errs <- do(item)
			<-free
		})
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
