package sender

import (
	"fmt"
	"strings"
	"time"

	"github.com/netresearch/go-cron"
)

// Schedule says when a group is sent. The zero value never says so.
type Schedule struct {
	// Text is cron text, and Zone the name of the time zone that it is in.
	Text, Zone string
	times      cron.Schedule
}

// parser reads five fields, or a name. A day has to match one of the two fields for
// days, if both are set, as in other implementations of cron.
var parser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom | cron.Descriptor)

// maxScheduleBytes is the longest cron text.
const maxScheduleBytes = 200

// ParseSchedule reads five cron fields or a name such as "@daily". What would fall
// into an hour that a time zone leaves out comes right after it; what falls into one
// that comes twice comes twice. A nil zone is UTC.
func ParseSchedule(text string, zone *time.Location) (Schedule, error) {
	if zone == nil {
		zone = time.UTC
	}
	bad := func(why string) (Schedule, error) {
		return Schedule{}, fmt.Errorf("the schedule %q can't be used: %s; write five cron fields such as \"30 6 * * *\", or a name such as \"@daily\"", text, why)
	}
	switch {
	case len(text) > maxScheduleBytes:
		return bad("it is too long")
	case strings.Contains(text, "TZ="):
		return bad("the time zone is a setting of its own")
	}
	times, err := parser.Parse(text)
	if err != nil {
		return bad(err.Error())
	}
	if times.Next(time.Now().In(zone)).IsZero() {
		return bad("there is no such day")
	}
	return Schedule{Text: text, Zone: zone.String(), times: inZone{times, zone}}, nil
}

// inZone has a schedule look at the clock of a time zone.
type inZone struct {
	cron.Schedule
	zone *time.Location
}

func (z inZone) Next(after time.Time) time.Time { return z.Schedule.Next(after.In(z.zone)) }

// Next returns the first time after another, or zero if there is none.
func (s Schedule) Next(after time.Time) time.Time {
	if s.times == nil {
		return time.Time{}
	}
	return s.times.Next(after)
}
