package app

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/restante/restante/host"
)

// onFault reads what becomes of messages that a plugin can't format, or returns
// what holds otherwise if the setting is not there.
func onFault(set *hcl.Attribute, otherwise host.FaultPolicy, scope *hcl.EvalContext) (host.FaultPolicy, hcl.Diagnostics) {
	if set == nil {
		return otherwise, nil
	}
	var text string
	if wrong := gohcl.DecodeExpression(set.Expr, scope, &text); wrong.HasErrors() {
		return otherwise, wrong
	}
	policy, err := host.ParseFaultPolicy(text)
	if err != nil {
		return otherwise, hcl.Diagnostics{fault(set.Expr.Range(), "Bad on_fault", err.Error()+".")}
	}
	return policy, nil
}

// onFault returns what holds for a group.
func (s *settled) onFault(g host.GroupName) host.FaultPolicy {
	c := s.current()
	if policy, ok := c.OnFaults[g]; ok {
		return policy
	}
	return c.OnFault
}

// newFaults has faults of plugins found, logged and reported to the error inbox,
// as long as ctx lasts.
func (d *daemon) newFaults(ctx context.Context) (*host.Faults, error) {
	log := d.log.Named("faults")
	return host.NewFaults(host.FaultsConfig{
		Store:      d.parts.store,
		Tokens:     d.parts.exchange.Tokens,
		Formatters: d.plugins,
		Policy:     d.settled.onFault,
		Report: func(f host.Fault) {
			if !f.Again {
				log.Warn("plugin can't format messages", "group", string(f.Group), "plugin", f.Plugin.Plugin, "version", f.Plugin.Version,
					"digest", f.Plugin.Digest, "messages", f.Batch.String(), "rejected", rejectedText(f.Rejections), "reason", f.Reason,
					"policy", string(f.Policy), "held", f.Held, "calls", f.Calls)
			}
			d.raise(ctx, faultReport(f)) // also again: it may have ended meanwhile
		},
		Cleared: func(g host.GroupName) {
			log.Info("queue is free again", "group", string(g))
			d.freed(ctx, g)
		},
	})
}

// faultReport says a fault in words.
func faultReport(f host.Fault) host.ErrorReport {
	r := host.ErrorReport{Group: f.Group, Messages: f.Rejections}
	by := fmt.Sprintf("The plugin %s %s", f.Plugin.Plugin, f.Plugin.Version)
	which := "messages"
	if len(f.Rejections) == 1 {
		which = "message"
	}
	ids := host.NewRanges()
	for _, one := range f.Rejections {
		ids.Add(host.Range{First: one.ID, Last: one.ID})
	}
	switch {
	case len(f.Rejections) == 0:
		r.Kind = host.ErrorBatch
		r.Title = by + " can't format these messages together; smaller batches are handed out for a while."
	case f.Held:
		r.Kind = host.ErrorHeld
		r.Title = fmt.Sprintf("%s can't format %s %s, held now; the rest goes on. Mend the plugin and release what is held.", by, which, ids)
	default:
		r.Kind = host.ErrorBlocked
		r.Title = fmt.Sprintf("%s can't format %s %s, and the queue waits. Mend the plugin, or hold what it can't format.", by, which, ids)
	}
	r.Details = fmt.Sprintf("Batch: %s\n%s", f.Batch, f.Reason)
	return r
}

// refused logs what a receiver rejects, and reports it to the error inbox.
func (d *daemon) refused(ctx context.Context, r host.Refusal) {
	d.log.Named("faults").Warn("receiver rejected messages", "group", string(r.Group), "messages", r.Batch.String(),
		"key", r.By.Key, "address", r.By.Address, "rejected", rejectedText(r.Rejections))
	count := "a message"
	if n := len(r.Rejections); n > 1 {
		count = fmt.Sprintf("%d messages", n)
	}
	d.raise(ctx, host.ErrorReport{
		Kind: host.ErrorRejected, Group: r.Group, Messages: r.Rejections,
		Title:   "The receiver did not want " + count + ", held now.",
		Details: fmt.Sprintf("Batch %s, fetched with the key %s from %s.", r.Batch, r.By.Key, r.By.Address),
	})
}

// raise reports to the error inbox; what can't be reported is in the log.
func (d *daemon) raise(ctx context.Context, r host.ErrorReport) {
	if err := d.parts.inbox.Raise(context.WithoutCancel(ctx), r); err != nil {
		d.log.Warn("error inbox not written", "kind", string(r.Kind), "group", string(r.Group), "error", err)
	}
}

// freed says that a queue is not blocked any more.
func (d *daemon) freed(ctx context.Context, g host.GroupName) {
	if err := d.parts.inbox.End(context.WithoutCancel(ctx), host.ErrorBlocked, g, ""); err != nil {
		d.log.Warn("error inbox not written", "kind", string(host.ErrorBlocked), "group", string(g), "error", err)
	}
}

// stillBlocked watches groups that were blocked when the daemon started, which
// host.Faults knows nothing of.
type stillBlocked struct {
	mu     sync.Mutex
	groups map[host.GroupName]bool
	freed  func(host.GroupName)
}

func (d *daemon) newStillBlocked(ctx context.Context) (*stillBlocked, error) {
	open, err := d.parts.inbox.Open(ctx)
	b := &stillBlocked{groups: map[host.GroupName]bool{}, freed: func(g host.GroupName) { d.freed(ctx, g) }}
	for _, r := range open {
		if r.Kind == host.ErrorBlocked && r.Ended.IsZero() {
			b.groups[r.Group] = true
		}
	}
	return b, err
}

func (b *stillBlocked) Added(host.GroupName, int) {}

func (b *stillBlocked) Marked(host.GroupName, uint64) {}

func (b *stillBlocked) Fetched(g host.GroupName, _ host.Fetched, err error) {
	if err != nil {
		return
	}
	b.mu.Lock()
	was := b.groups[g]
	delete(b.groups, g)
	b.mu.Unlock()
	if was {
		b.freed(g)
	}
}

// rejectedText writes a few rejections for the log.
func rejectedText(all []host.Rejection) string {
	const shown = 5
	var parts []string
	for i, r := range all {
		if i == shown {
			parts = append(parts, fmt.Sprintf("and %d more", len(all)-shown))
			break
		}
		parts = append(parts, fmt.Sprintf("%d: %s", r.ID, r.Reason))
	}
	return strings.Join(parts, "; ")
}
