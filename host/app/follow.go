package app

import (
	"context"
	"errors"
	"time"

	"github.com/restante/restante/host"
)

const (
	// followEvery is how often the daemon reads what others may have changed in a
	// store that they share. It is well below host.SharedBound, so that no call has
	// to wait for it.
	followEvery = 400 * time.Millisecond
	// gatherEvery is how often what each daemon has seen is put together then.
	gatherEvery = 10 * time.Second
)

// follow keeps up with the other daemons on a shared store until ctx is over. If
// there can't be any it returns at once.
func (d *daemon) follow(ctx context.Context) {
	if !host.IsShared(d.parts.store) {
		return
	}
	look := time.NewTicker(followEvery)
	defer look.Stop()
	gather := time.NewTicker(gatherEvery)
	defer gather.Stop()
	behind := false
	for {
		var err error
		select {
		case <-look.C:
			err = d.lookAtOthers(ctx)
		case <-gather.C:
			err = d.parts.activities.Flush(ctx)
		case <-ctx.Done():
			return
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !behind:
			d.log.Warn("what other daemons have changed can't be read", "error", err)
		case err == nil && behind:
			d.log.Info("what other daemons have changed can be read again")
		}
		behind = err != nil
	}
}

// lookAtOthers reads what other daemons may have changed.
func (d *daemon) lookAtOthers(ctx context.Context) error {
	changed, err := d.parts.exchange.Queues.Refresh(ctx)
	if changed {
		d.plugins.Reclaim() // what was released elsewhere
	}
	return errors.Join(d.parts.keys.Refresh(ctx), d.parts.exchange.Tokens.Refresh(ctx), err)
}
