package boltstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
)

// Limits of one commit. What waits beyond them goes into the next.
const (
	maxOperations  = 1024
	maxCommitBytes = 32 << 20
)

// fullPause is how long additions are refused unseen after the disk was found
// full, so that marks, which need next to no space, can go on.
const fullPause = time.Second

// operation is one write that waits for its commit. Its run must find every
// reason to fail before it changes anything, since it shares the transaction
// with others.
type operation struct {
	ctx   context.Context
	run   func(*commit) error
	bytes int // of message data that it adds
	err   error
	done  chan struct{} // gets a value when err holds the outcome
}

// do hands a write to the committing goroutine and returns when it is on disk.
// Once it waits it can't be called off, as it may be under way.
func (s *Store) do(ctx context.Context, bytes int, run func(*commit) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	op, _ := s.operations.Get().(*operation)
	if op == nil {
		op = &operation{done: make(chan struct{}, 1)}
	}
	op.ctx, op.run, op.bytes, op.err = ctx, run, bytes, nil
	s.queueMu.RLock()
	if s.closed {
		s.queueMu.RUnlock()
		s.operations.Put(op)
		return host.ErrClosed
	}
	s.queue <- op
	s.queueMu.RUnlock()
	<-op.done
	err := op.err
	op.ctx, op.run, op.err = nil, nil, nil
	s.operations.Put(op)
	return err
}

// commitLoop puts all operations that wait at the same time into one
// transaction. There is no timer: while one commit is under way the next one
// gathers, so a lone writer waits for nobody and many share the cost.
func (s *Store) commitLoop() {
	defer close(s.done)
	batch := make([]*operation, 0, maxOperations)
	for op := range s.queue {
		batch = append(batch[:0], op)
		bytes := op.bytes
	gather:
		for len(batch) < maxOperations && bytes < maxCommitBytes {
			select {
			case op, ok := <-s.queue:
				if !ok {
					break gather
				}
				batch = append(batch, op)
				bytes += op.bytes
			default:
				break gather
			}
		}
		s.commit(batch)
		for i, op := range batch {
			batch[i] = nil
			op.done <- struct{}{}
		}
	}
}

// commit runs the operations in one transaction and sets their outcomes.
func (s *Store) commit(batch []*operation) {
	c := commit{store: s, now: s.now(), groups: map[host.GroupName]*groupCommit{}}
	err := s.Failure()
	if err == nil {
		err = s.transaction(&c, batch)
	}
	if errors.Is(err, host.ErrStoreFull) {
		// What adds nothing may still fit: this time it goes alone, as the
		// store has been found full.
		c.groups, c.dirty, c.room = map[host.GroupName]*groupCommit{}, false, false
		err = s.transaction(&c, batch)
	}
	if err != nil {
		for _, op := range batch {
			op.err = err
		}
		return
	}
	s.statesMu.Lock()
	for name, g := range c.groups {
		s.states[name] = &g.state
	}
	s.statesMu.Unlock()
	for name, g := range c.groups {
		if g.freed {
			s.Wake(name)
		}
	}
}

func (s *Store) transaction(c *commit, batch []*operation) error {
	tx, err := s.db.Begin(true)
	if err != nil {
		return fmt.Errorf("begin a commit: %w", err)
	}
	defer tx.Rollback() // does nothing after Commit
	c.tx = tx
	full := time.Now().Before(s.fullUntil)
	for _, op := range batch {
		if op.err = op.ctx.Err(); op.err != nil {
			continue
		}
		if op.bytes > 0 && full {
			op.err = host.ErrStoreFull
			continue
		}
		op.err = op.run(c)
	}
	if !c.dirty {
		return nil
	}
	id := tx.ID()
	err = c.writeStates()
	if err == nil {
		s.syncFreelist()
		err = tx.Commit()
	}
	switch {
	case err == nil && c.room:
		s.fullUntil = time.Time{}
		return nil
	case err == nil:
		return nil
	case isFull(err) && !s.visible(id):
		s.fullUntil = time.Now().Add(fullPause)
		return host.ErrStoreFull
	}
	// After a failed sync the kernel may have dropped what it could not write
	// and call the next sync a success, so nothing later could be trusted.
	err = fmt.Errorf("%w: %w", host.ErrFailed, err)
	s.failed.Store(&err)
	return err
}

// visible reports whether readers see a transaction, which they may do although
// its commit failed: its last page can be in the system's memory, and not be on
// the disk.
func (s *Store) visible(id int) bool {
	tx, err := s.db.Begin(false)
	if err != nil {
		return true
	}
	defer tx.Rollback()
	return tx.ID() >= id
}

// commit is a transaction together with the states that it changes.
type commit struct {
	store  *Store
	tx     *bolt.Tx
	now    time.Time
	groups map[host.GroupName]*groupCommit
	dirty  bool
	room   bool // something was deleted, so there is room for additions again
}

// groupCommit is one group within a commit.
type groupCommit struct {
	state    host.State
	bucket   *bolt.Bucket
	messages *bolt.Bucket
	keys     *bolt.Bucket
	freed    bool // messages became unread
}

// group returns a group for reading, nil if it has no message yet.
func (c *commit) group(name host.GroupName) (*groupCommit, error) {
	if g := c.groups[name]; g != nil {
		return g, nil
	}
	bucket := c.tx.Bucket(groupsBucket).Bucket([]byte(name))
	if bucket == nil {
		return nil, nil
	}
	return c.open(name, bucket)
}

// makeGroup returns a group that is to be changed, and makes it if need be.
func (c *commit) makeGroup(name host.GroupName) (*groupCommit, error) {
	g, err := c.group(name)
	if g != nil || err != nil {
		return g, err
	}
	c.dirty = true
	bucket, err := c.tx.Bucket(groupsBucket).CreateBucket([]byte(name))
	if err != nil {
		return nil, err
	}
	for _, sub := range [][]byte{messagesBucket, keysBucket} {
		if _, err := bucket.CreateBucket(sub); err != nil {
			return nil, err
		}
	}
	return c.open(name, bucket)
}

func (c *commit) open(name host.GroupName, bucket *bolt.Bucket) (*groupCommit, error) {
	g := &groupCommit{
		state:    c.store.state(name).Clone(),
		bucket:   bucket,
		messages: bucket.Bucket(messagesBucket),
		keys:     bucket.Bucket(keysBucket),
	}
	if g.messages == nil || g.keys == nil {
		return nil, fmt.Errorf("%w: group %q has lost its buckets", host.ErrDamaged, name)
	}
	// Ids only go up, so pages can be filled to the brim.
	g.messages.FillPercent = 1
	c.groups[name] = g
	return g, nil
}

// writeStates puts the state of every group of the commit beside its messages.
func (c *commit) writeStates() error {
	for name, g := range c.groups {
		if err := g.bucket.Put(stateKey, encodeState(name, &g.state)); err != nil {
			return err
		}
	}
	return nil
}
