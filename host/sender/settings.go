package sender

import (
	"cmp"
	"fmt"
	"time"

	"github.com/restante/restante/host"
)

// Settings are what the operator wants of one group.
type Settings struct {
	// Endpoint is where it is sent to; nil if nothing is configured. The same one
	// is returned as long as its own settings don't change.
	Endpoint Endpoint
	// URL is its address, for people, without secrets. Groups with the same URL
	// share its limits and its circuit breaker.
	URL string
	// Fingerprint changes with the settings of the endpoint, and lifts a block.
	Fingerprint string

	// Schedule is cron text; empty is the plugin's. TimeZone is UTC if nil.
	Schedule string
	TimeZone *time.Location
	// SkipMissed leaves out a run that was due while the daemon was down.
	SkipMissed bool
	// OnAdd sends so long after a message was added; 0 is not to.
	OnAdd time.Duration
	// SendEmpty has a schedule, or who asks, send a batch of no messages if there
	// are none.
	SendEmpty bool

	// Limit is how many messages a batch has at most: host.MaxFetch if 0. MaxBytes
	// is how many bytes of data: host.MaxBatchBytes if 0.
	Limit, MaxBytes int
	// GiveUp is after how long of failed attempts the group waits for somebody: a
	// day if 0.
	GiveUp time.Duration
	// Rate is how many requests a minute go to the URL at most, and Concurrency how
	// many at the same time; 0 is any number. Of groups that say different things
	// the smallest holds.
	Rate        float64
	Concurrency int
}

// DefaultGiveUp is Settings.GiveUp if that is 0.
const DefaultGiveUp = 24 * time.Hour

// Check returns what is wrong with the settings.
func (s Settings) Check() error {
	switch {
	case s.Limit < 0 || s.Limit > host.MaxFetch:
		return fmt.Errorf("limit is %d; it must be from 1 to %d", s.Limit, host.MaxFetch)
	case s.MaxBytes < 0 || s.MaxBytes > host.MaxBatchBytes:
		return fmt.Errorf("max_bytes is %d; it must be up to %d", s.MaxBytes, host.MaxBatchBytes)
	case s.OnAdd < 0, s.GiveUp < 0:
		return fmt.Errorf("a time is negative")
	case !(s.Rate >= 0):
		return fmt.Errorf("rate is %v; it must be a number of requests per minute", s.Rate)
	case s.Concurrency < 0:
		return fmt.Errorf("concurrency is %d; it must be 1 or more", s.Concurrency)
	}
	if s.Schedule == "" {
		return nil
	}
	_, err := ParseSchedule(s.Schedule, s.TimeZone)
	return err
}

func (s Settings) completed() Settings {
	s.Limit = cmp.Or(s.Limit, host.MaxFetch)
	s.MaxBytes = cmp.Or(s.MaxBytes, host.MaxBatchBytes)
	s.GiveUp = cmp.Or(s.GiveUp, DefaultGiveUp)
	return s
}

// Place is whether anything is sent from a machine: yes if it is zero.
type Place struct {
	// Off is why nothing is, in words that say what to do.
	Off string
	// Elsewhere tells that another daemon on the same store sends instead, so that
	// nothing is wrong.
	Elsewhere bool
}
