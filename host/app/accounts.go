package app

import "context"

// pruneAccounts deletes what is left of sessions and invitations that are over.
func (d *daemon) pruneAccounts(ctx context.Context) {
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
}
