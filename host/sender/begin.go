package sender

import (
	"context"
	"time"

	"github.com/restante/restante/host"
)

// schedule is the schedule that a courier follows.
type schedule struct {
	text string
	zone string
	Schedule
	read bool
	next time.Time
}

// begin begins a run if something says so: somebody, the schedule, or a message that
// was added. A run that goes on is joined. It also lifts a block when the settings
// have changed.
func (c *courier) begin(ctx context.Context, settings Settings) error {
	s, now := c.snapshot(), c.now()
	if h := s.Halt; h != nil && h.State != host.SendPaused && h.Settings != settings.Fingerprint && settings.Endpoint != nil {
		if err := c.resume(ctx, "the configuration has changed"); err != nil {
			return err
		}
		s = c.snapshot()
	}
	due, followed, err := c.follow(ctx, settings, s, now)
	if err != nil {
		return err
	}
	counts, err := c.sender.config.Exchange.Store.Counts(ctx, c.group)
	if err != nil {
		return err
	}
	// What is wished where nothing can be sent is not done later, unseen; but the
	// daemon that sends for all sees what is written here.
	able := c.off(settings) == ""
	passOn := settings.Endpoint != nil && c.sender.config.Place().Elsewhere
	added := able && c.noticed(settings, s, counts.Unread, now)
	asked, urgent := c.takeAsked()
	asked = asked && s.Halt == nil
	c.hurry = c.hurry || urgent
	begin := (able && (due || added || asked) || passOn && asked) && s.Run == nil && (counts.Unread > 0 || settings.SendEmpty || s.Batch != nil)
	if !due && !begin {
		return nil
	}
	trigger := host.TriggerSchedule
	switch {
	case due:
	case asked:
		trigger = host.TriggerAsked
	case added:
		trigger = host.TriggerAdded
	}
	return c.change(ctx, func(s *host.Sending) {
		elsewhere := due && !s.Followed.Equal(followed) // another daemon has begun this run
		if due && !elsewhere {
			s.Followed = now
		}
		if begin && s.Run == nil && (!elsewhere || asked || added) {
			s.Run = &host.SendRun{Trigger: trigger, Began: now}
		}
	})
}

// follow tells whether the schedule has the group sent now, and up to when it was
// followed before.
func (c *courier) follow(ctx context.Context, settings Settings, s host.Sending, now time.Time) (due bool, followed time.Time, err error) {
	text := settings.Schedule
	if q, err := c.sender.config.Exchange.Queues.Queue(c.group); err == nil && text == "" {
		text = q.Schedule
	}
	first := !c.schedule.read
	zone := time.UTC.String()
	if settings.TimeZone != nil {
		zone = settings.TimeZone.String()
	}
	if first || text != c.schedule.text || zone != c.schedule.zone {
		c.schedule = schedule{text: text, zone: zone, read: true}
		if text != "" {
			if c.schedule.Schedule, err = ParseSchedule(text, settings.TimeZone); err != nil {
				c.log.Warn("schedule not followed", "schedule", text, "error", err)
				c.schedule.Schedule = Schedule{}
			}
		}
		// What another schedule would have had sent is not sent for this one.
		is := c.schedule.Schedule
		if s.Schedule != is.Text || s.TimeZone != is.Zone || is.Text != "" && (!first || settings.SkipMissed) {
			err := c.change(ctx, func(s *host.Sending) { s.Schedule, s.TimeZone, s.Followed = is.Text, is.Zone, now })
			if err != nil {
				c.schedule.read = false
				return false, time.Time{}, err
			}
			s = c.snapshot()
		}
	}
	// A clock that is set back does not have a run come twice.
	c.schedule.next = c.schedule.Next(s.Followed)
	due = !c.schedule.next.IsZero() && !now.Before(c.schedule.next)
	if due {
		c.schedule.next = c.schedule.Next(now)
	}
	c.mu.Lock()
	c.nextRun = c.schedule.next.UTC()
	c.mu.Unlock()
	return due, s.Followed, nil
}

// noticed tells whether it is time to send for a message that was added.
func (c *courier) noticed(settings Settings, s host.Sending, unread uint64, now time.Time) bool {
	switch {
	case settings.OnAdd == 0, s.Run != nil, unread == 0:
		c.addedAt = time.Time{}
	case c.addedAt.IsZero():
		c.addedAt = now.Add(settings.OnAdd)
	case !now.Before(c.addedAt):
		c.addedAt = time.Time{}
		return true
	}
	return false
}

// nextBegin returns when begin has something to do next.
func (c *courier) nextBegin() time.Time { return earlier(c.schedule.next, c.addedAt) }
