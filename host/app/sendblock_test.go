package app

import (
	"strings"
	"testing"
	"time"
)

func TestReadSending(t *testing.T) {
	path := writeConfig(t, `
send_from = "mail1"
queue "student" {
  method = "send"
  endpoint {
    url         = "https://receiver.example/api"
    schedule    = "30 6 * * mon-fri"
    time_zone   = "Europe/Berlin"
    catch_up    = false
    on_add      = "2s"
    send_empty  = true
    limit       = 10
    max_bytes   = "1MiB"
    rate        = 30
    concurrency = 2
    give_up     = "12h"
    oauth2 {
      token_url     = "https://id.example/token"
      client_id     = "restante"
      client_secret = "x"
    }
  }
}
queue "plain" {
  method = "send"
  endpoint { url = "https://receiver.example" }
}
`)
	var c Config
	var out strings.Builder
	if err := ReadConfig(path, &c, &out); err != nil {
		t.Fatalf("ReadConfig = %v\n%s", err, &out)
	}
	s := c.Sends["student"]
	if c.SendFrom != "mail1" || s.Schedule != "30 6 * * mon-fri" || s.TimeZone.String() != "Europe/Berlin" || !s.SkipMissed || s.OnAdd != 2*time.Second ||
		!s.SendEmpty || s.Limit != 10 || s.MaxBytes != 1<<20 || s.Rate != 30 || s.Concurrency != 2 || s.GiveUp != 12*time.Hour {
		t.Errorf("from %q, %+v", c.SendFrom, s)
	}
	if e := c.Endpoints["student"]; e.URL != "https://receiver.example/api" || e.OAuth2 == nil {
		t.Error("the rest of the block was not read")
	}
	if s := c.Sends["plain"]; s.TimeZone != nil || s.SkipMissed || s.OnAdd != 0 {
		t.Errorf("without settings: %+v", s)
	}
}

func TestReadSendingRefuses(t *testing.T) {
	for name, c := range map[string]struct{ setting, want string }{
		"schedule":      {`schedule = "every day"`, "the schedule"},
		"no schedule":   {`schedule = ""`, "leave it out"},
		"time zone":     {`time_zone = "Berlin"`, "time_zone is"},
		"on_add":        {`on_add = "soon"`, "on_add is"},
		"on_add of 0":   {`on_add = "0s"`, "on_add is"},
		"give_up":       {`give_up = "1s"`, "give_up is"},
		"limit":         {`limit = 0`, "limit is 0"},
		"large limit":   {`limit = 1001`, "from 1 to 1000"},
		"max_bytes":     {`max_bytes = "lots"`, "max_bytes"},
		"too many":      {`max_bytes = "1GiB"`, "max_bytes is"},
		"rate":          {`rate = -1`, "rate is"},
		"concurrency":   {`concurrency = 0`, "concurrency is 0"},
		"misspelt":      {`shedule = "@daily"`, "shedule"},
		"of the wrong":  {`limit = "many"`, "number"},
		"endpoint's":    {`bearer = ""`, "bearer is empty"},
		"plain http":    {`proxy = "gopher://x"`, "proxy"},
		"another block": {"other {}", "other"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeConfig(t, "queue \"student\" {\n  method = \"send\"\n  endpoint {\n    url = \"https://receiver.example\"\n    "+c.setting+"\n  }\n}\n")
			var out strings.Builder
			err := ReadConfig(path, &Config{}, &out)
			if err == nil || !strings.Contains(out.String(), c.want) || !strings.Contains(out.String(), "line ") {
				t.Errorf("ReadConfig = %v\n%s\nwant %q", err, &out, c.want)
			}
		})
	}
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		sendFrom, machine string
		shared            bool
		want              string
		elsewhere         bool
	}{
		{"mail1", "mail1", false, "", false},
		{"MAIL1", "mail1", true, "", false},
		{"", "mail1", false, `send_from = "mail1"`, false},
		{"", "mail1", true, `send_from = "mail1"`, false},
		{"mail1", "copy", false, `this machine is called "copy"`, false},
		{"mail1", "copy", true, `Another daemon sends it, on the machine "mail1"`, true},
	} {
		got := place(c.sendFrom, c.machine, c.shared)
		if (got.Off == "") != (c.want == "") || !strings.Contains(got.Off, c.want) || got.Elsewhere != c.elsewhere {
			t.Errorf("place(%q, %q, %v) = %+v, want %q, %v", c.sendFrom, c.machine, c.shared, got, c.want, c.elsewhere)
		}
	}
}
