package app

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
)

const (
	// alertsFirst is how long after the plugins were started the daemon looks for
	// the first time at what is wrong, and alertsEvery how often then.
	alertsFirst = 3 * time.Second
	alertsEvery = 30 * time.Second
	// inboxAge is for how long errors are kept that are done with.
	inboxAge = 366 * 24 * time.Hour
	// auditAge is for how long the audit log is kept unless the configuration says
	// otherwise.
	auditAge = 3653 * 24 * time.Hour
)

// lost logs and reports a delivery that could not be recorded.
func (p *parts) lost(ctx context.Context, log hclog.Logger, d host.Delivery, err error) {
	log.Error("delivery not recorded", "delivery", d.ID, "group", string(d.Group), "messages", d.IDs, "error", err)
	err = p.inbox.Raise(ctx, host.ErrorReport{
		Kind: host.ErrorRecord, Group: d.Group,
		Title:   fmt.Sprintf("The delivery %s could not be recorded.", d.ID),
		Details: fmt.Sprintf("It was fetched all the same. Messages: %s. %s", d.IDs, err),
	})
	if err != nil {
		log.Warn("error inbox not written", "error", err)
	}
}

// watch looks now and then at what is wrong, and after a reload, until ctx is
// over.
func (d *daemon) watch(ctx context.Context) {
	alerts := host.Alerts{
		Inbox: d.parts.inbox, Store: d.parts.store, Queues: d.parts.exchange.Queues, Activities: d.parts.activities,
		Plugins: d.plugins.List, Limits: d.settled.alertLimits, Disk: d.disk, Now: time.Now, Daemon: d.name,
	}
	select {
	case <-d.plugins.Ready():
	case <-ctx.Done():
		return
	}
	next := time.NewTimer(alertsFirst)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-d.reloaded:
		case <-ctx.Done():
			return
		}
		if err := alerts.Check(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("not everything could be looked at", "error", err)
		}
		next.Reset(alertsEvery)
	}
}

// disk returns how many bytes are free for the data folder, and how many should
// be.
func (d *daemon) disk() (free, least uint64, err error) {
	free, err = freeBytes(d.config.Data)
	return free, d.settled.leastFree(), err
}

// flushParts writes what is known in memory alone.
func (d *daemon) flushParts(ctx context.Context) {
	if err := d.parts.keys.Flush(ctx); err != nil {
		d.log.Warn("times of use of API keys not written", "error", err)
	}
	if err := d.parts.exchange.Deliveries.Flush(ctx); err != nil {
		d.log.Warn("counts of fetches not written", "error", err)
	}
	if err := d.parts.inbox.Flush(ctx); err != nil {
		d.log.Warn("error inbox not written", "error", err)
	}
	if err := d.parts.activities.Flush(ctx); err != nil {
		d.log.Warn("activity of queues not written", "error", err)
	}
}

// pruneHistory deletes errors that are long done with, and old entries of the
// audit log.
func (d *daemon) pruneHistory(ctx context.Context) {
	age := d.settled.current().AuditAge
	if age == 0 {
		age = auditAge
	}
	now := time.Now()
	if n, err := d.parts.inbox.Prune(ctx, now.Add(-inboxAge)); err != nil && ctx.Err() == nil {
		d.log.Warn("error inbox not pruned", "error", err)
	} else if n > 0 {
		d.log.Info("error inbox pruned", "entries", n)
	}
	if n, err := d.parts.audit.Prune(ctx, now.Add(-age)); err != nil && ctx.Err() == nil {
		d.log.Warn("audit log not pruned", "error", err)
	} else if n > 0 {
		d.log.Info("audit log pruned", "entries", n)
	}
}
