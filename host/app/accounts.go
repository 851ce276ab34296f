package app

import (
	"context"
	"time"
)

// pruneAccounts deletes what is left of sessions and invitations that are over.
func (d *daemon) pruneAccounts(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		for what, prune := range map[string]func(context.Context) (int, error){
			"sessions": d.parts.users.PruneSessions, "invitations": d.parts.users.PruneInvitations,
		} {
			pruned, err := prune(ctx)
			if pruned > 0 {
				d.log.Debug("accounts pruned", "what", what, "count", pruned)
			}
			if err != nil && ctx.Err() == nil {
				d.log.Warn("accounts not pruned", "what", what, "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
