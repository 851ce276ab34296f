package natsstore

import (
	"context"
	"errors"
	"fmt"
)

// errTooLate: another daemon changed a cell first.
var errTooLate = errors.New("another daemon was faster")

// write writes a commit and keeps its cells in memory. It fails with errTooLate if
// a cell was changed by somebody else; then nothing is written.
//
// An answer can be lost although all was written. Then the operations that each
// cell remembers tell. While they don't, writing the same again does no harm, since
// it compares the same sequences.
func (t *table) write(ctx context.Context, c *commit) error {
	s := t.store
	unsure := false // whether an attempt before may have been written
	for n := 0; ; n++ {
		var last uint64
		err := s.onceWith(ctx, t.stream, bytesOf(c.all), func(ctx context.Context) (err error) {
			last, err = s.publish(ctx, fmt.Sprintf("%s-%d", c.by, n), c.all)
			return err
		})
		switch {
		case err == nil:
			t.written(c, last)
			return nil
		case wrongLast(err) && !unsure:
			return errTooLate
		case !wrongLast(err) && !transient(err):
			return refusal(err, unsure)
		}
		unsure = true
		if !s.pause(ctx, n) {
			return s.unavailable(ctx, err)
		}
		if len(c.put) == 0 {
			continue
		}
		switch seq, decided, err := t.settle(ctx, c); {
		case err != nil:
			return err
		case decided && seq == 0:
			return errTooLate
		case decided:
			t.written(c, seq)
			return nil
		}
	}
}

// settle finds out what became of a commit: the sequence of its last message; 0 if
// it was not written and can't be any more; or that nothing is decided.
func (t *table) settle(ctx context.Context, c *commit) (last uint64, decided bool, err error) {
	for _, key := range c.put {
		t.forget(key)
		found, err := t.load(ctx, key)
		if err != nil {
			return 0, false, err
		}
		for _, o := range found.operations {
			if o != c.by {
				continue
			}
			if found.operations[0] != c.by {
				// Somebody wrote it since: the sequences are not known any more.
				return unknownLast, true, nil
			}
			for i, m := range c.all {
				if m.Subject == t.subject(key) {
					last = found.seq + uint64(len(c.all)-1-i)
				}
			}
			return last, true, nil
		}
		if found.seq != c.before[key].seq {
			return 0, true, nil
		}
	}
	return 0, false, nil
}

// unknownLast stands for a sequence that is not known, of what was written.
const unknownLast = ^uint64(0)

// written gives the cells of a commit their sequences.
func (t *table) written(c *commit, last uint64) {
	at := map[string]int{}
	for i, m := range c.all {
		at[m.Subject] = i
	}
	for _, key := range c.put {
		if c.cells[key].seq = last; last == unknownLast {
			t.forget(key)
			continue
		}
		c.cells[key].seq -= uint64(len(c.all) - 1 - at[t.subject(key)])
		t.remember(c.cells[key])
	}
}
