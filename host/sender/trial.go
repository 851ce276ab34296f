package sender

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/restante/restante/host"
)

// Test sends what would be sent next to another URL, without the secrets of the
// configuration, and records and marks nothing. The URL must come from somebody who
// may have this machine call any address.
func (s *Sender) Test(ctx context.Context, g host.GroupName, url string) (host.Attempt, error) {
	if _, err := s.config.Exchange.SendQueue(g); err != nil {
		return host.Attempt{}, err
	}
	if why := s.config.Place(); why != "" {
		return host.Attempt{}, errors.New("nothing is sent from this machine: " + why)
	}
	to, err := s.config.Elsewhere(url)
	if err != nil {
		return host.Attempt{}, err
	}
	settings := s.config.Settings(g).completed()
	f, err := s.config.Exchange.Sample(ctx, g, settings.Limit, settings.MaxBytes)
	if err != nil {
		return host.Attempt{}, fmt.Errorf("make a batch of %q: %w", g, err)
	}
	r, err := request(host.Outgoing{Key: "test-" + strings.ToLower(rand.Text()), Request: f.Request}, f, 0)
	if err != nil {
		return host.Attempt{}, err
	}
	r.Group, r.Time = string(g), s.config.Now()
	answer := to.Send(ctx, r)
	a := attempt(answer)
	if a.Messages = f.IDs.String(); a.Outcome != host.AttemptSent {
		a.Error = inWords(answer)
	}
	return a, nil
}
