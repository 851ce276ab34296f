package sender

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/restante/restante/host"
)

// Test sends what would be sent next to another URL, without the secrets of the
// configuration, and records and marks nothing. The URL may lead where the
// configuration lets the group's own endpoint lead. It fails with host.ErrNotTested if
// it can't be sent there, or from here.
func (s *Sender) Test(ctx context.Context, g host.GroupName, url string) (host.Attempt, error) {
	return s.test(ctx, g, url, false)
}

// TestLocally is Test for an operator on this very machine, to which the URL may lead
// too.
func (s *Sender) TestLocally(ctx context.Context, g host.GroupName, url string) (host.Attempt, error) {
	return s.test(ctx, g, url, true)
}

func (s *Sender) test(ctx context.Context, g host.GroupName, url string, local bool) (host.Attempt, error) {
	if _, err := s.config.Exchange.SendQueue(g); err != nil {
		return host.Attempt{}, err
	}
	if why := s.config.Place().Off; why != "" {
		return host.Attempt{}, fmt.Errorf("%w: nothing is sent from this machine: %s", host.ErrNotTested, why)
	}
	to, err := s.config.Elsewhere(g, url, local)
	if err != nil {
		return host.Attempt{}, fmt.Errorf("%w: %w", host.ErrNotTested, err)
	}
	settings := s.config.Settings(g).completed()
	f, err := s.config.Exchange.Sample(ctx, g, settings.Limit, settings.MaxBytes)
	if err != nil {
		return host.Attempt{}, fmt.Errorf("make a batch of %q: %w", g, err)
	}
	r, err := request(host.Outgoing{Key: "test-" + strings.ToLower(rand.Text()), Request: f.Request}, f, 0)
	if err != nil {
		return host.Attempt{}, fmt.Errorf("%w: %w", host.ErrNotTested, err)
	}
	r.Group, r.Time = string(g), s.config.Now()
	answer := to.Send(ctx, r)
	a := attempt(answer)
	if a.Messages = f.IDs.String(); a.Outcome != host.AttemptSent {
		a.Error = inWords(answer)
	}
	return a.Kept(), nil
}
