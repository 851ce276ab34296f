package host

import (
	"context"
	"errors"
	"fmt"
)

// finding is what became of the search for a message at fault. The zero finding
// is that the batch works.
type finding struct {
	// blamed are the messages at fault.
	blamed []Rejection
	// front is how many of the first messages to go on with where nobody is to
	// blame, and reason why.
	front  int
	reason string
	calls  int
}

// halving looks for the message at fault in a batch. For n messages it takes at
// most 2·⌈log2 n⌉+1 calls: the whole batch once more, and then at each step one
// half or both.
type halving struct {
	batch Batch
	// write has the plugin format a part of the batch.
	write func(context.Context, Batch) error

	from, to int // the part that is known to fail
	worked   int // the largest number of first messages that is known to work
	failure  string
	blamed   []Rejection
	calls    int
}

// find fails only if the plugin can't be asked any more.
func (h *halving) find(ctx context.Context) (finding, error) {
	h.to = len(h.batch.Messages)
	fails, err := h.fails(ctx, 0, h.to)
	if err != nil || !fails {
		return finding{calls: h.calls}, err
	}
	for h.blamed == nil && h.to-h.from > 1 {
		middle := h.from + (h.to-h.from+1)/2
		if fails, err = h.fails(ctx, h.from, middle); fails {
			h.to = middle
			continue
		}
		if err == nil && h.from == 0 {
			h.worked = middle
		}
		if err == nil {
			fails, err = h.fails(ctx, middle, h.to)
		}
		switch {
		case fails:
			h.from = middle
		case err == nil:
			return finding{front: h.worked, reason: h.together(), calls: h.calls}, nil
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return h.late()
		default:
			return finding{}, err
		}
	}
	if h.blamed == nil {
		h.blamed = []Rejection{{ID: h.batch.Messages[h.from].ID, Reason: h.failure}}
	}
	return finding{blamed: h.blamed, calls: h.calls}, nil
}

// fails tells whether the plugin fails over a part of the batch.
func (h *halving) fails(ctx context.Context, from, to int) (bool, error) {
	part := Batch{Group: h.batch.Group, Token: h.batch.Token, Messages: h.batch.Messages[from:to]}
	err := h.write(ctx, part)
	if err == nil {
		h.calls++
		return false, nil
	}
	named, failed := blamed(err, part), failure(err)
	if named == nil && failed == "" {
		return false, err
	}
	h.calls++
	h.blamed, h.failure = named, failed
	return true, nil
}

// together says that no single message is at fault.
func (h *halving) together() string {
	return fmt.Sprintf("messages %d to %d can't be formatted together, though each half of them can: %s",
		h.batch.Messages[h.from].ID, h.batch.Messages[h.to-1].ID, h.failure)
}

// late has the batch become smaller by what was found out in time.
func (h *halving) late() (finding, error) {
	f := finding{front: h.worked, calls: h.calls}
	if f.front == 0 && h.to < len(h.batch.Messages) {
		f.front = h.to
	}
	if f.front == 0 {
		return f, context.DeadlineExceeded
	}
	f.reason = fmt.Sprintf("which of the messages %d to %d is at fault was not found in time: %s",
		h.batch.Messages[h.from].ID, h.batch.Messages[h.to-1].ID, h.failure)
	return f, nil
}
