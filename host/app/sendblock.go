package app

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // not every machine has the time zones

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/sender"
	"github.com/restante/restante/host/sender/endpoint"
)

// sendBlock is the block endpoint of a queue: when its messages are sent and how
// many at a time and, in what is left of it, where to.
type sendBlock struct {
	Schedule    *string  `hcl:"schedule"`
	TimeZone    *string  `hcl:"time_zone"`
	CatchUp     *bool    `hcl:"catch_up"`
	OnAdd       *string  `hcl:"on_add"`
	SendEmpty   *bool    `hcl:"send_empty"`
	Limit       *int     `hcl:"limit"`
	MaxBytes    *string  `hcl:"max_bytes"`
	Rate        *float64 `hcl:"rate"`
	Concurrency *int     `hcl:"concurrency"`
	GiveUp      *string  `hcl:"give_up"`
	Body        hcl.Body `hcl:",body"`
	Rest        hcl.Body `hcl:",remain"`
}

// read returns what the block says.
func (b *sendBlock) read(q host.Queue, dir string, scope *hcl.EvalContext) (endpoint.Config, sender.Settings, hcl.Diagnostics) {
	s, err := b.settings()
	if err != nil {
		return endpoint.Config{}, s, hcl.Diagnostics{fault(b.Body.MissingItemRange(), "Bad endpoint", err.Error()+".")}
	}
	var to endpointBlock
	if wrong := gohcl.DecodeBody(b.Rest, scope, &to); wrong.HasErrors() {
		return endpoint.Config{}, s, wrong
	}
	c, wrong := to.config(q, dir)
	return c, s, wrong
}

func (b *sendBlock) settings() (s sender.Settings, err error) {
	if b.Schedule != nil {
		if s.Schedule = *b.Schedule; s.Schedule == "" {
			return s, errors.New("schedule is empty; leave it out for that of the plugin")
		}
	}
	if b.TimeZone != nil {
		if s.TimeZone, err = time.LoadLocation(*b.TimeZone); err != nil {
			return s, fmt.Errorf("time_zone is %q, which is not one such as \"Europe/Berlin\"", *b.TimeZone)
		}
	}
	s.SkipMissed = b.CatchUp != nil && !*b.CatchUp
	s.SendEmpty = b.SendEmpty != nil && *b.SendEmpty
	for _, d := range []struct {
		name  string
		from  *string
		least time.Duration
		to    *time.Duration
	}{{"on_add", b.OnAdd, time.Millisecond, &s.OnAdd}, {"give_up", b.GiveUp, time.Minute, &s.GiveUp}} {
		if d.from == nil {
			continue
		}
		if *d.to, err = time.ParseDuration(*d.from); err != nil || *d.to < d.least {
			return s, fmt.Errorf("%s is %q, which is not a time such as \"2s\" or \"24h\" of at least %s", d.name, *d.from, d.least)
		}
	}
	if b.MaxBytes != nil {
		size, err := parseSize(*b.MaxBytes)
		if err != nil {
			return s, fmt.Errorf("max_bytes: %w", err)
		}
		s.MaxBytes = int(min(size, host.MaxBatchBytes+1))
	}
	for _, n := range []struct {
		name string
		from *int
		to   *int
	}{{"limit", b.Limit, &s.Limit}, {"concurrency", b.Concurrency, &s.Concurrency}} {
		if n.from == nil {
			continue
		}
		if *n.to = *n.from; *n.to < 1 {
			return s, fmt.Errorf("%s is %d; it must be 1 or more", n.name, *n.to)
		}
	}
	if b.Rate != nil {
		if s.Rate = *b.Rate; !(s.Rate > 0) {
			return s, fmt.Errorf("rate is %v; it must be a number of requests per minute", s.Rate)
		}
	}
	return s, s.Check()
}
