package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/sandbox"
)

// keepBlock says how long deliveries are kept: of all groups, or of one.
type keepBlock struct {
	Records *string  `hcl:"records"`
	Bodies  *string  `hcl:"bodies"`
	Size    *string  `hcl:"size"`
	Body    hcl.Body `hcl:",body"`
}

// retention returns what the block says and, where it says nothing, what holds
// otherwise. The block may be nil.
func (b *keepBlock) retention(otherwise host.Retention) (host.Retention, hcl.Diagnostics) {
	r := otherwise
	if b == nil {
		return r, nil
	}
	var faults hcl.Diagnostics
	wrong := func(err error) {
		faults = append(faults, fault(b.Body.MissingItemRange(), "Bad retention", err.Error()+"."))
	}
	for _, age := range []struct {
		name string
		from *string
		to   *time.Duration
	}{{"records", b.Records, &r.Records}, {"bodies", b.Bodies, &r.Bodies}} {
		if age.from == nil {
			continue
		}
		var err error
		if *age.to, err = parseAge(*age.from); err != nil {
			wrong(fmt.Errorf("%s: %w", age.name, err))
		}
	}
	if b.Size != nil {
		size, err := parseSize(*b.Size)
		switch {
		case err != nil:
			wrong(fmt.Errorf("size: %w", err))
		case size == sandbox.Unlimited:
			r.BodyBytes = 1 << 62
		default:
			r.BodyBytes = size
		}
	}
	return r, faults
}

// parseAge reads a time such as "400d" or "12h".
func parseAge(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a time such as \"400d\" or \"12h\"", text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36_500 {
			return 0, bad
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute {
		return 0, bad
	}
	return d, nil
}
