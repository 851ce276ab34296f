package sender_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need Berlin

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/sender"
)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestScheduleAcrossDST(t *testing.T) {
	zone := berlin(t)
	for _, c := range []struct {
		name, text string
		from       time.Time
		want       string
	}{
		{"an hour left out", "30 2 * * *", time.Date(2026, 3, 28, 3, 0, 0, 0, zone), "29 03:30 +0200, 30 02:30 +0200, 31 02:30 +0200"},
		{"an hour that comes twice", "30 2 * * *", time.Date(2026, 10, 24, 3, 0, 0, 0, zone), "25 02:30 +0200, 25 02:30 +0100, 26 02:30 +0100"},
		{"outside of it", "30 6 * * *", time.Date(2026, 10, 24, 7, 0, 0, 0, zone), "25 06:30 +0100, 26 06:30 +0100, 27 06:30 +0100"},
		{"every half hour", "*/30 * * * *", time.Date(2026, 10, 25, 1, 40, 0, 0, zone), "25 02:00 +0200, 25 02:30 +0200, 25 02:00 +0100"},
		{"one of the days", "0 6 1 * mon", time.Date(2026, 10, 25, 0, 0, 0, 0, zone), "26 06:00 +0100, 01 06:00 +0100, 02 06:00 +0100"},
		{"daily", "@daily", time.Date(2026, 10, 24, 12, 0, 0, 0, zone), "25 00:00 +0200, 26 00:00 +0100, 27 00:00 +0100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := sender.ParseSchedule(c.text, zone)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			at := c.from
			for range 3 {
				at = s.Next(at.UTC())
				got = append(got, at.Format("02 15:04 -0700"))
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
}

func TestParseScheduleRefuses(t *testing.T) {
	for _, text := range []string{"", "* * * *", "61 * * * *", "@reboot", "@bogus", "0 0 31 2 *", "TZ=UTC 0 0 * * *", "CRON_TZ=UTC 0 0 * * *", strings.Repeat("1,", 200) + "1 * * * *"} {
		if _, err := sender.ParseSchedule(text, nil); err == nil {
			t.Errorf("ParseSchedule(%q) = nil error", text)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	f.Add("*/5 9-17 * * mon-fri")
	f.Add("@every 1h")
	f.Fuzz(func(t *testing.T, text string) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if s, err := sender.ParseSchedule(text, nil); err == nil && !s.Next(now).IsZero() && !s.Next(now).After(now) {
			t.Errorf("Next of %q is %s", text, s.Next(now))
		}
	})
}

// The clock of these tests begins at midnight of 1 January 2000, UTC.

func TestScheduleSends(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.Schedule, o.settings.TimeZone = "30 6 * * *", berlin(o)
		o.add(1, 2)
		o.open()
		if s := o.status(); s.NextRun.Format(time.RFC3339) != "2000-01-01T05:30:00Z" || s.Schedule != "30 6 * * *" || s.TimeZone != "Europe/Berlin" {
			o.Errorf("the status is %+v", s)
		}
		o.wait(5*time.Hour + 29*time.Minute)
		if n := len(o.got()); n != 0 {
			o.Errorf("%d requests too early", n)
		}
		o.wait(2 * time.Minute)
		o.add(3, 4)
		o.wait(24 * time.Hour)
		all := o.got()
		if ranges(all) != "1-2 3-4" || !all[0].at.Equal(time.Date(2000, 1, 1, 5, 30, 0, 0, time.UTC)) {
			o.Errorf("received %s, %+v", ranges(all), all)
		}
		o.wait(72 * time.Hour) // an empty queue sends nothing
		if n := len(o.got()); n != 2 {
			o.Errorf("%d requests", n)
		}
	})
}

func TestMissedSchedule(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*sender.Settings)
		want   string
	}{
		{"runs once", func(*sender.Settings) {}, "1-2"},
		{"is left out", func(s *sender.Settings) { s.SkipMissed = true }, ""},
		{"was another one", func(s *sender.Settings) { s.Schedule = "0 7 * * *" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synthetic(t, func(o *office) {
				o.settings.Schedule = "0 6 * * *"
				o.open()
				o.stop()
				o.add(1, 2)
				o.wait(3*24*time.Hour + 8*time.Hour)
				c.change(&o.settings)
				o.open().wait(time.Minute)
				if ranges(o.got()) != c.want {
					o.Errorf("received %q, want %q", ranges(o.got()), c.want)
				}
			})
		})
	}
}

func TestPluginSchedule(t *testing.T) {
	synthetic(t, func(o *office) {
		q := host.Queue{Group: "out", Method: host.Send, Schedule: "@hourly", Plugin: "records", File: "records"}
		if err := o.exchange.Queues.Declare(o.Context(), q, nil); err != nil {
			o.Fatal(err)
		}
		o.add(1, 2)
		o.open().wait(time.Hour)
		if ranges(o.got()) != "1-2" {
			o.Errorf("received %s", ranges(o.got()))
		}
		o.set(func(s *sender.Settings) { s.Schedule = "30 * * * *" }) // the operator's wins
		o.add(3, 4)
		o.wait(31 * time.Minute)
		if ranges(o.got()) != "1-2 3-4" {
			o.Errorf("received %s", ranges(o.got()))
		}
	})
}

func TestOnAdd(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.OnAdd = 2 * time.Second
		o.open()
		o.add(1, 1)
		o.wait(time.Second)
		o.add(2, 3)
		if n := len(o.got()); n != 0 {
			o.Errorf("%d requests too early", n)
		}
		o.wait(1001 * time.Millisecond)
		if ranges(o.got()) != "1-3" {
			o.Errorf("received %s", ranges(o.got()))
		}
		o.stop()
		o.add(4, 5) // while no daemon runs
		o.open().wait(3 * time.Second)
		if ranges(o.got()) != "1-3 4-5" {
			o.Errorf("received %s", ranges(o.got()))
		}
	})
}

func TestTriggersJoin(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.Limit, o.settings.OnAdd, o.settings.Schedule = 2, time.Second, "* * * * *"
		o.script(func(int, http.ResponseWriter, received) { time.Sleep(20 * time.Second) })
		o.add(1, 10)
		o.open()
		results := make(chan host.SendResult, 8)
		for range 8 {
			go func() {
				r, err := o.sender.SendNow(o.Context(), "out")
				if err != nil {
					o.Error(err)
				}
				results <- r
			}()
			o.sender.Trigger(o.Context(), "out")
			o.wait(10 * time.Second)
		}
		for range 8 {
			if r := <-results; r.State != host.SendIdle || r.Messages == 0 {
				o.Errorf("SendNow = %+v", r)
			}
		}
		if got := ranges(o.got()); got != "1-2 3-4 5-6 7-8 9-10" {
			o.Errorf("received %s", got)
		}
	})
}

func TestSendEmpty(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.Schedule, o.settings.SendEmpty = "@daily", true
		o.script(func(n int, w http.ResponseWriter, _ received) {
			if n == 1 {
				w.WriteHeader(503)
			}
		})
		o.open().wait(48*time.Hour + time.Minute)
		all := o.got()
		if len(all) != 3 || all[0].key != all[1].key || all[1].key == all[2].key || !strings.Contains(all[0].body, `"messages": []`) {
			o.Errorf("received %+v", all)
		}
		if s := o.status(); s.State != host.SendIdle || s.Delivery != "" {
			o.Errorf("the status is %+v", s)
		}
	})
}
