package app

import (
	"fmt"
	"strings"

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

// newFaults has faults of plugins found, and logged.
func (d *daemon) newFaults() (*host.Faults, error) {
	log := d.log.Named("faults")
	return host.NewFaults(host.FaultsConfig{
		Store:      d.parts.store,
		Tokens:     d.parts.exchange.Tokens,
		Formatters: d.plugins,
		Policy:     d.settled.onFault,
		Report: func(f host.Fault) {
			log.Warn("plugin can't format messages", "group", string(f.Group), "plugin", f.Plugin.Plugin, "version", f.Plugin.Version,
				"digest", f.Plugin.Digest, "messages", f.Batch.String(), "rejected", rejectedText(f.Rejections), "reason", f.Reason,
				"policy", string(f.Policy), "held", f.Held, "calls", f.Calls)
		},
		Cleared: func(g host.GroupName) {
			log.Info("queue is free again", "group", string(g))
		},
	})
}

// refused logs what a receiver rejects.
func (d *daemon) refused(r host.Refusal) {
	d.log.Named("faults").Warn("receiver rejected messages", "group", string(r.Group), "messages", r.Batch.String(),
		"key", r.By.Key, "address", r.By.Address, "rejected", rejectedText(r.Rejections))
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
