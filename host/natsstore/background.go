package natsstore

import "context"

// begin counts a goroutine that Close waits for, unless the store is closed. Call
// running.Done at its end.
func (s *Store) begin() bool {
	s.closeMu.Lock()
	defer s.closeMu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

// background does what nobody waits for, as far as the store is not closed first.
func (s *Store) background(ctx context.Context, do func(context.Context) error) {
	if !s.begin() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	go func() {
		defer s.running.Done()
		defer cancel()
		if err := do(ctx); err != nil {
			s.log.Debug("something is left to be tidied up later", "error", err)
		}
	}()
}

// cleanUpAtOnce is how many requests to delete something are under way.
const cleanUpAtOnce = 32

// cleanUp deletes what is not needed any more.
func (s *Store) cleanUp(ctx context.Context, all []func(context.Context) error) {
	s.background(ctx, func(ctx context.Context) error {
		return each(all, cleanUpAtOnce, func(do func(context.Context) error) error { return do(ctx) })
	})
}
