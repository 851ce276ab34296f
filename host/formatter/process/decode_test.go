package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"

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
	for _, seed := range []string{`{"@message":1}`, `{"@level":1}`, "panic: x\n\xff", `{"@level":"info","@message":"m","k":{}}`, "[ERROR] x",
		`{"@level":"info","@message":"a\u001b\nb","@@message":"n\u009b","@ level":"o"}`, strings.Repeat("x", maxLine+5), strings.Repeat("a\r\n", 200),
		"panic: a\x1b\n" + strings.Repeat("goroutine 1\n", 2000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		begun := time.Now()
		log := readStderr(t, bytes.NewReader(text))
		checkLog(t, log.text.Bytes(), time.Since(begun))
		tail, panicked := log.facts()
		if len(tail) > tailLines {
			t.Errorf("%d lines are kept, want at most %d", len(tail), tailLines)
		}
		for _, line := range tail {
			if len(line) > tailLine || line == "" || strings.Contains(line, "\n") || !readable(line) {
				t.Errorf("kept line %q", line)
			}
		}
		if len(panicked) > maxPanic || !readable(panicked) {
			t.Errorf("kept panic of %d bytes: %q", len(panicked), panicked)
		}
		// How the pipe cuts the bytes into pieces must not matter.
		again, panickedAgain := readStderr(t, iotest.OneByteReader(bytes.NewReader(text))).facts()
		if !slices.Equal(again, tail) || panickedAgain != panicked {
			t.Errorf("byte by byte: %q, %q, and at once: %q, %q", again, panickedAgain, tail, panicked)
		}
	})
}

// stderrLog is a plugin's standard error with what it has logged.
type stderrLog struct {
	*stderr
	text bytes.Buffer
}

func readStderr(t *testing.T, r io.Reader) *stderrLog {
	t.Helper()
	l := &stderrLog{}
	l.stderr = &stderr{sink: &sink{log: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &l.text, JSONFormat: true})}}
	l.read(r)
	l.sink.flush()
	return l
}

// checkLog checks that a log has the form that readers of it count on, whatever
// the plugin wrote, and is no longer than a plugin may make it.
func checkLog(t *testing.T, log []byte, took time.Duration) {
	t.Helper()
	seconds := int(took/time.Second) + 2 // one that had begun, and one that has not ended
	if n := bytes.Count(log, []byte("\n")); n > seconds*(linesPerSecond+1)+1 {
		t.Errorf("%d lines were logged in %s", n, took)
	}
	for line := range bytes.Lines(log) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Errorf("logged %q: %v", line, err)
			continue
		}
		if fields["@message"] == "plugin logs too much, lines dropped" && fields["count"] != nil {
			continue // our own
		}
		for key, of := range fields {
			value, ok := of.(string)
			if !ok {
				t.Errorf("logged %q = %v, want text", key, of)
			}
			if !readable(value) || !readable(key) || len(key) > maxKey+1 || len(value) > maxPanic+maxValue {
				t.Errorf("logged %q = %q", key, value)
			}
			if strings.HasPrefix(key, "@") && key != "@level" && key != "@message" && key != "@timestamp" {
				t.Errorf("logged %q, which looks like the logger's own", key)
			}
		}
		level, _ := fields["@level"].(string)
		stamp, _ := fields["@timestamp"].(string)
		if _, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", stamp); err != nil || hclog.LevelFromString(level) == hclog.NoLevel {
			t.Errorf("logged %q, which lacks a level or a time", line)
		}
	}
}

// readable tells whether a text is fit for a terminal.
func readable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
}

// FuzzAnnouncement lets a plugin announce anything while its folder holds a good
// socket and some that are not. Only the good one may be accepted, and go-plugin
// must read the same in the line.
func FuzzAnnouncement(f *testing.F) {
	for _, seed := range []string{"1|1|unix|DIR/s|grpc|", "1|01|unix|DIR/s|grpc", "1|1|tcp|a:1", "|||", "1|99|unix|@|grpc", "1|1|unix|\x00|grpc",
		"1|1|unix|DIR/../s|grpc|", "1|1|unix|DIR//s|grpc|", "1|1|unix|DIR/link|grpc|", "1|1|unix|DIR/file|grpc|", "1|1|unix|DIR/in/s|grpc|",
		"1|1|unix|DIR/s\n|grpc|", "1|1|unix|OUT/s|grpc|", "2|1|unix|DIR/s|grpc|", "1|1|unix|DIR/s|netrpc|", "1|1|unix|DIR/s", " 1|1|unix|DIR/s|grpc|CERT|true\r"} {
		f.Add([]byte(seed))
	}
	base, err := os.MkdirTemp("/tmp", "fa") // short, as paths of sockets must be
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = os.RemoveAll(base) })
	folder, outside := filepath.Join(base, "d"), filepath.Join(base, "o")
	for _, dir := range []string{folder, filepath.Join(folder, "in"), outside} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			f.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(dir, "s"))
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { _ = l.Close() })
	}
	if err := errors.Join(os.Symlink(filepath.Join(outside, "s"), filepath.Join(folder, "link")), os.WriteFile(filepath.Join(folder, "file"), nil, 0o600)); err != nil {
		f.Fatal(err)
	}
	good := filepath.Join(folder, "s")
	f.Fuzz(func(t *testing.T, line []byte) {
		text := strings.NewReplacer("DIR", folder, "OUT", outside).Replace(string(line))
		a, ok := parseAnnouncement([]byte(text))
		accepted := ok && a.check(folder) == nil
		if rest, plain := strings.CutPrefix(text, "1|1|unix|"+good+"|grpc"); plain && (rest == "" || rest == "|") && !accepted {
			t.Errorf("%q is refused", text)
		}
		if !accepted {
			return
		}
		// This is how go-plugin takes the line apart.
		parts := strings.Split(strings.TrimSpace(a.line), "|")
		version, err := strconv.Atoi(parts[1])
		if parts[0] != "1" || err != nil || version != 1 || parts[2] != "unix" || parts[3] != good || parts[4] != "grpc" ||
			a.address != good || strings.Contains(a.line, "\n") {
			t.Errorf("%q is accepted as %+v", text, a)
		}
	})
}

// FuzzInspect checks that whatever a file holds there is one line about it, fit
// to be shown, and that there is one wherever the file can't be a program.
func FuzzInspect(f *testing.F) {
	for _, seed := range []string{"", "#!", "#!/bin/sh\n", "MZ", "\x7fELF\x02\x01\x01", "\xcf\xfa\xed\xfe", "text", "#!\x1b[2J\n", "\x1b[2J"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		fault := inspectFile(bytes.NewReader(content), int64(len(content)))
		if !readable(fault) || strings.ContainsAny(fault, "\n\t") || len(fault) > 500 {
			t.Errorf("inspectFile(%q) = %q", content, fault)
		}
		if !bytes.HasPrefix(content, []byte("#!")) && !bytes.HasPrefix(content, []byte("\x7fELF")) && fault == "" {
			t.Errorf("inspectFile(%q) finds nothing wrong", content)
		}
	})
}
