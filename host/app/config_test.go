package app

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "restante.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadConfig(t *testing.T) {
	path := writeConfig(t, `
listen    = "127.0.0.1:9000"
data      = "data"
plugins   = "/etc/plugins"
log_level = "debug"

queue "plain" {
  method = "poll"
  title  = "Plain JSON"
}
queue "student" {
  on_fault = "hold"
}
plugin "csv" {
  swap = "approve"
}
plugin "lines" {}
`)
	c := Config{LogFormat: "json", Listen: "elsewhere:1"}
	var out strings.Builder
	if err := ReadConfig(path, &c, &out); err != nil {
		t.Fatalf("ReadConfig = %v\n%s", err, &out)
	}
	if c.Listen != "127.0.0.1:9000" || c.Data != filepath.Join(filepath.Dir(path), "data") || c.Plugins != "/etc/plugins" ||
		c.LogLevel != "debug" || c.LogFormat != "json" {
		t.Errorf("ReadConfig gives %+v", c)
	}
	if o := c.PluginOptions; !o["csv"].Approval || o["lines"].Approval {
		t.Errorf("the plugins' options are %v", o)
	}
	if c.OnFault != host.FaultBlock || c.OnFaults["student"] != host.FaultHold || c.OnFaults["plain"] != host.FaultBlock {
		t.Errorf("on_fault is %q, %q", c.OnFault, c.OnFaults)
	}
	want := []host.Queue{{Group: "plain", Method: host.Poll, Title: "Plain JSON"}, {Group: "student"}}
	if !slices.Equal(c.Queues, want) {
		t.Errorf("the queues are %+v, want %+v", c.Queues, want)
	}
}

func TestReadConfigPointsAtTheLine(t *testing.T) {
	for name, c := range map[string]struct{ text, want, line string }{
		"syntax":            {"listen = \n", "Invalid expression", "line 1"},
		"unknown setting":   {"\nlisten = \"a:1\"\nlisen = \"a:1\"\n", `"lisen"`, "line 3"},
		"unknown block":     {"group \"x\" {}\n", `"group"`, "line 1"},
		"wrong type":        {"listen = [1]\n", "string", "line 1"},
		"queue, no name":    {"queue {}\n", "name", "line 1"},
		"queue, bad name":   {"\nqueue \"a b\" {\n}\n", `"a b" has " "`, "line 2"},
		"queue, bad method": {"queue \"a\" {\n  method = \"push\"\n}\n", `unknown method "push"`, "line 1"},
		"queue, bad key":    {"queue \"a\" {\n\n  tilte = \"x\"\n}\n", `"tilte"`, "line 3"},
		"plugin, bad swap":  {"plugin \"a\" {\n  swap = \"never\"\n}\n", `swap is "never"`, "line 1"},
		"plugin, bad key":   {"plugin \"a\" {\n  swop = \"auto\"\n}\n", `"swop"`, "line 2"},
		"two plugins":       {"plugin \"a\" {}\nplugin \"a\" {}\n", `another plugin block named "a"`, "line 2"},
		"bad on_fault":      {"\non_fault = \"skip\"\n", `on_fault is "skip"`, "line 2"},
		"queue, on_fault":   {"queue \"a\" {\n\n  on_fault = \"Hold\"\n}\n", `on_fault is "Hold"; use "block" or "hold"`, "line 3"},
		"on_fault, type":    {"on_fault = [1]\n", "string", "line 1"},
		"alerts, no time":   {"alerts {\n  waiting = \"soon\"\n}\n", `waiting: "soon" is not a time`, "line 2"},
		"alerts, no limit":  {"alerts {\n\n  silence = 0\n}\n", `silence: "0" is not a number from 1 to 100`, "line 3"},
		"alerts, no count":  {"queue \"a\" {\n  alerts {\n    unmarked = 1\n  }\n}\n", `unmarked: "1" is not a number of fetches`, "line 3"},
		"alerts, no size":   {"alerts {\n  free = \"unlimited\"\n}\n", `"unlimited" is not a size`, "line 2"},
		"alerts, off":       {"alerts {\n  free = 0\n}\n", `or write "off"`, "line 2"},
		"alerts, bad key":   {"alerts {\n  quiet = 1\n}\n", `"quiet"`, "line 2"},
		"alerts, type":      {"alerts {\n  waiting = [\"1h\"]\n}\n", "string", "line 2"},
		"alerts of a queue": {"queue \"a\" {\n  alerts {\n    free = \"1GiB\"\n  }\n}\n", "put it into a block alerts {} beside the queues", "line 3"},
		"secrets, short":    {"queue \"a\" {\n  secrets = [\"whsec_AAAA\"]\n}\n", "base64 of 24 to 64 random bytes", "line 2"},
		"secrets, sent":     {"queue \"a\" {\n  method  = \"send\"\n  secrets = []\n}\n", "its secrets belong into its block endpoint", "line 3"},
		"audit, no time":    {"\naudit = \"ever\"\n", `audit: "ever" is not a time`, "line 2"},
		"two queues":        {"queue \"a\" {}\nqueue \"a\" {}\n", `another queue block named "a"`, "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			config := Config{}
			err := ReadConfig(writeConfig(t, c.text), &config, &out)
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("ReadConfig = %v, want ErrConfig", err)
			}
			if !strings.Contains(out.String(), c.want) || !strings.Contains(out.String(), c.line) {
				t.Errorf("ReadConfig wrote %s, want %q and %q", &out, c.want, c.line)
			}
		})
	}
	if err := ReadConfig(filepath.Join(t.TempDir(), "none.hcl"), &Config{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ReadConfig of nothing = %v", err)
	}
}

// TestExample: the example says what the defaults are.
func TestExample(t *testing.T) {
	var c Config
	var out strings.Builder
	if err := ReadConfig("../../examples/restante.hcl", &c, &out); err != nil {
		t.Fatalf("ReadConfig = %v\n%s", err, &out)
	}
	defaults := host.AlertLimits{Waiting: host.DefaultWaiting, Silence: host.DefaultSilence, Unmarked: host.DefaultUnmarked}
	if c.Alerts != defaults || c.Free != host.DefaultFree {
		t.Errorf("the alerts are %+v and %d, want %+v", c.Alerts, c.Free, defaults)
	}
}

func TestReadAlerts(t *testing.T) {
	path := writeConfig(t, `
audit = "30d"
alerts {
  waiting  = "12h"
  unmarked = "off"
  free     = "2GiB"
}
queue "plain" {
  alerts {
    waiting = "off"
    silence = 1.5
  }
}
queue "student" {}
`)
	var c Config
	var out strings.Builder
	if err := ReadConfig(path, &c, &out); err != nil {
		t.Fatalf("ReadConfig = %v\n%s", err, &out)
	}
	s := settled{config: c}
	for g, want := range map[host.GroupName]host.AlertLimits{
		"plain":   {Waiting: -1, Silence: 1.5, Unmarked: -1},
		"student": {Waiting: 12 * time.Hour, Unmarked: -1},
		"another": {Waiting: 12 * time.Hour, Unmarked: -1},
	} {
		if got := s.alertLimits(g); got != want {
			t.Errorf("the limits of %q are %+v, want %+v", g, got, want)
		}
	}
	if s.leastFree() != 2<<30 || c.AuditAge != 30*24*time.Hour {
		t.Errorf("free is %d, and the audit log kept for %s", s.leastFree(), c.AuditAge)
	}
	for free, want := range map[int64]uint64{0: host.DefaultFree, alertOff: 0} {
		s := settled{config: Config{Free: free}}
		if got := s.leastFree(); got != want {
			t.Errorf("with %d free is %d, want %d", free, got, want)
		}
	}
}

func TestCompleteRefuses(t *testing.T) {
	for _, c := range []Config{{Listen: "8089"}, {LogLevel: "loud"}, {LogFormat: "xml"}, {PluginsLock: "on"}} {
		if err := c.complete(); err == nil {
			t.Errorf("complete(%+v) = nil", c)
		}
	}
	var c Config
	if err := c.complete(); err != nil || c.Plugins != filepath.Join(DefaultData, "plugins") {
		t.Errorf("complete gives %+v, %v", c, err)
	}
}
