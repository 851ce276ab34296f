package process

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestParseLogLine(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       logLine
		ok         bool
	}{
		{"hclog", `{"@level":"warn","@message":"slow","@module":"m","@timestamp":"2026-01-02T03:04:05.000000Z","n":1.50,"who":"Ann"}`,
			logLine{hclog.Warn, "slow", []any{"plugin_module", "m", "n", "1.50", "who", "Ann"}}, true},
		{"keys of ours", `{"@level":"info","@message":"m","@":1,"@x":[1,{"a":2}]}`, logLine{hclog.Info, "m", []any{"unnamed", "1", "x", `[1,{"a":2}]`}}, true},
		{"control", `{"@level":"info","@message":"a\u001b[31mb\nc"}`, logLine{hclog.Info, "a [31mb c", nil}, true},
		{"level unknown", `{"@level":"loud","@message":"m"}`, logLine{hclog.Info, "m", nil}, true},
		{"level off", `{"@level":"off","@message":"m"}`, logLine{hclog.Info, "m", nil}, true},
		{"message no string", `{"@message":1}`, logLine{}, false},
		{"level no string", `{"@message":"m","@level":1}`, logLine{}, false},
		{"array", `["@message"]`, logLine{}, false},
		{"text", `hello`, logLine{}, false},
		{"empty", ``, logLine{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := parseLogLine([]byte(c.line))
			if ok != c.ok || got.level != c.want.level || got.message != c.want.message || !equal(got.args, c.want.args) {
				t.Errorf("parseLogLine(%s) = %v, %v, want %v, %v", c.line, got, ok, c.want, c.ok)
			}
		})
	}
}

func equal(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestStderr(t *testing.T) {
	var log bytes.Buffer
	e := &stderr{sink: &sink{log: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &log, DisableTime: true})}}
	e.read(strings.NewReader("[WARN] low on ink\n\nplain\r\npanic: first\n\ngoroutine 1 [running]:\nmain.main()\n" +
		`{"@level":"debug","@message":"meanwhile"}` + "\nafter\nfatal error: all goroutines are asleep\nstack"))
	for _, want := range []string{
		"[WARN]  low on ink\n[INFO]  plain\n[ERROR] plugin panicked: panic=\"panic: first\"\n",
		"  | goroutine 1 [running]:\n  | main.main()\n",
		"[DEBUG] meanwhile\n[INFO]  after\n",
		`panic="fatal error: all goroutines are asleep" stack=stack`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log:\n%s\nwant in it:\n%s", log.String(), want)
		}
	}
	tail, panicked := e.facts()
	if len(tail) != 9 || tail[8] != "stack" || panicked != "fatal error: all goroutines are asleep\nstack\n" {
		t.Errorf("facts() = %q, %q", tail, panicked)
	}
}

func TestSinkDropsAndReports(t *testing.T) {
	var log bytes.Buffer
	s := &sink{log: hclog.New(&hclog.LoggerOptions{Output: &log})}
	now := time.Now()
	admitted := 0
	for range 1000 {
		if s.admit(now, 10) {
			admitted++
		}
	}
	if admitted != linesPerSecond || log.Len() != 0 {
		t.Errorf("admitted %d lines; log: %s", admitted, log.String())
	}
	if !s.admit(now.Add(time.Second), 10) || !strings.Contains(log.String(), "count=900") {
		t.Errorf("after a second: %s", log.String())
	}
	if s.admit(now.Add(time.Second), bytesPerSecond) {
		t.Error("a second's bytes are not limited")
	}
	if s.flush(); !strings.Contains(log.String(), "count=1 ") {
		t.Errorf("at the end: %s", log.String())
	}
}

func FuzzStderr(f *testing.F) {
	for _, seed := range []string{`{"@message":1}`, `{"@level":1}`, "panic: x\n\xff", `{"@level":"info","@message":"m","k":{}}`, "[ERROR] x", strings.Repeat("x", maxLine+5)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		e := &stderr{sink: &sink{log: hclog.NewNullLogger()}}
		e.read(bytes.NewReader(text))
		e.facts()
	})
}

func FuzzAnnouncement(f *testing.F) {
	for _, seed := range []string{"1|1|unix|/tmp/x|grpc|", "1|1|tcp|a:1", "|||", "1|99|unix|@|grpc", "1|1|unix|\x00|grpc"} {
		f.Add([]byte(seed))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, line []byte) {
		if a, ok := parseAnnouncement(line); ok && a.check(folder) == nil {
			t.Errorf("%q is accepted, and there is no socket", line)
		}
	})
}

func FuzzInspect(f *testing.F) {
	for _, seed := range []string{"", "#!", "#!/bin/sh\n", "MZ", "\x7fELF\x02\x01\x01", "\xcf\xfa\xed\xfe", "text"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, content []byte) {
		inspectFile(bytes.NewReader(content), int64(len(content)))
	})
}
