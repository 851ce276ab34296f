package app

import (
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/sandbox"
)

// alertBlock says what is to be told: of all groups, or of one. Each of it can be
// "off".
type alertBlock struct {
	Waiting  *hcl.Attribute `hcl:"waiting,optional"`
	Silence  *hcl.Attribute `hcl:"silence,optional"`
	Unmarked *hcl.Attribute `hcl:"unmarked,optional"`
	// Free is for all groups alone.
	Free *hcl.Attribute `hcl:"free,optional"`
}

// applyAlerts takes over what is to be told of all groups, and for how long the
// audit log is kept.
func (f *file) applyAlerts(c *Config, scope *hcl.EvalContext) (faults hcl.Diagnostics) {
	var wrong hcl.Diagnostics
	c.AlertsOf = map[host.GroupName]host.AlertLimits{}
	c.Alerts, faults = f.Alerts.limits(host.AlertLimits{}, scope)
	c.Free, wrong = f.Alerts.free(scope)
	faults = append(faults, wrong...)
	if f.Audit == nil {
		return faults
	}
	var text string
	wrong = gohcl.DecodeExpression(f.Audit.Expr, scope, &text)
	if !wrong.HasErrors() {
		var err error
		if c.AuditAge, err = parseAge(text); err != nil {
			wrong = append(wrong, fault(f.Audit.Expr.Range(), "Bad retention", "audit: "+err.Error()+"."))
		}
	}
	return append(faults, wrong...)
}

// alertOff is a limit that nothing is beyond.
const alertOff = -1

// limits returns what the block says and, where it says nothing, what holds
// otherwise. The block may be nil.
func (b *alertBlock) limits(otherwise host.AlertLimits, scope *hcl.EvalContext) (host.AlertLimits, hcl.Diagnostics) {
	l := otherwise
	if b == nil {
		return l, nil
	}
	faults := readAlert(b.Waiting, scope, func() { l.Waiting = alertOff }, func(text string) (err error) {
		l.Waiting, err = parseAge(text)
		return err
	})
	faults = append(faults, readAlert(b.Silence, scope, func() { l.Silence = alertOff }, func(text string) (err error) {
		if l.Silence, err = strconv.ParseFloat(text, 64); err != nil || !(l.Silence >= 1 && l.Silence <= 100) {
			err = fmt.Errorf("%q is not a number from 1 to 100: so many times the longest usual pause of the poller", text)
		}
		return err
	})...)
	return l, append(faults, readAlert(b.Unmarked, scope, func() { l.Unmarked = alertOff }, func(text string) (err error) {
		if l.Unmarked, err = strconv.Atoi(text); err != nil || l.Unmarked < 2 || l.Unmarked > 1_000_000 {
			err = fmt.Errorf("%q is not a number of fetches from 2 to 1000000", text)
		}
		return err
	})...)
}

// free returns below how many free bytes the disk is nearly full, or 0 if the
// block, which may be nil, does not say.
func (b *alertBlock) free(scope *hcl.EvalContext) (least int64, faults hcl.Diagnostics) {
	if b == nil {
		return 0, nil
	}
	return least, readAlert(b.Free, scope, func() { least = alertOff }, func(text string) (err error) {
		if least, err = parseSize(text); err == nil && least == sandbox.Unlimited {
			err = fmt.Errorf("%q is not a size such as \"1GiB\"", text)
		}
		return err
	})
}

// ofQueue returns what is wrong with a block of one queue.
func (b *alertBlock) ofQueue() hcl.Diagnostics {
	if b == nil || b.Free == nil {
		return nil
	}
	return hcl.Diagnostics{fault(b.Free.NameRange, "Bad alerts", "free is about the disk of all queues: put it into a block alerts {} beside the queues.")}
}

// readAlert reads one setting, if it is there.
func readAlert(set *hcl.Attribute, scope *hcl.EvalContext, off func(), parse func(string) error) hcl.Diagnostics {
	if set == nil {
		return nil
	}
	var text string
	if wrong := gohcl.DecodeExpression(set.Expr, scope, &text); wrong.HasErrors() {
		return wrong
	}
	if text == "off" {
		off()
	} else if err := parse(text); err != nil {
		return hcl.Diagnostics{fault(set.Expr.Range(), "Bad alerts", fmt.Sprintf("%s: %s; or write \"off\".", set.Name, err))}
	}
	return nil
}

// alertLimits returns what holds for a group.
func (s *settled) alertLimits(g host.GroupName) host.AlertLimits {
	c := s.current()
	if l, ok := c.AlertsOf[g]; ok {
		return l
	}
	return c.Alerts
}

// leastFree returns below how many free bytes the disk is nearly full.
func (s *settled) leastFree() uint64 {
	switch least := s.current().Free; {
	case least < 0:
		return 0
	case least > 0:
		return uint64(least)
	}
	return host.DefaultFree
}
