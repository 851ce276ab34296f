package sandbox

import (
	"errors"
	"strings"
	"testing"
)

func TestParseMode(t *testing.T) {
	for text, want := range map[string]Mode{"": Enforce, "enforce": Enforce, "best-effort": BestEffort, "off": Off} {
		if got, err := ParseMode(text); err != nil || got != want {
			t.Errorf("ParseMode(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	if got, err := ParseMode("on"); err == nil {
		t.Errorf("ParseMode(on) = %q, want an error", got)
	}
}

func TestLimits(t *testing.T) {
	got, err := Limits{}.withDefaults()
	if want := (Limits{Memory: 512 << 20, Files: 256, Threads: 256}); err != nil || got != want {
		t.Errorf("the default limits are %+v, %v, want %+v", got, err, want)
	}
	none := Limits{Memory: Unlimited, Files: Unlimited, Threads: Unlimited}
	if got, err := none.withDefaults(); err != nil || got != none {
		t.Errorf("no limits are %+v, %v", got, err)
	}
	for _, bad := range []Limits{{Memory: -2}, {Files: -2}, {Threads: -2}, {Memory: 512}, {Files: 3}, {Threads: 1}} {
		if _, err := New(Config{Limits: bad}); err == nil {
			t.Errorf("New with %+v: no error", bad)
		}
	}
}

func TestNewRefusesReadablePaths(t *testing.T) {
	for _, path := range []string{"", "opt", "/", "//", "/opt/.."} {
		if _, err := New(Config{Readable: []string{path}}); err == nil {
			t.Errorf("New with the readable path %q: no error", path)
		}
	}
}

func TestTiers(t *testing.T) {
	full := Support{}
	for _, name := range []LayerName{Namespaces, FileRules, CallFilter, ResourceLimits} {
		full.layers = append(full.layers, Layer{Name: name, OK: true})
	}
	without := func(names ...LayerName) Support {
		s := full
		for _, name := range names {
			s = s.Without(name, "REASON", "REMEDY")
		}
		return s
	}
	for _, test := range []struct {
		support Support
		want    Tier
		says    string
	}{
		{full, Full, "bounded memory"},
		{without(Namespaces), NoNamespaces, "which files exist"},
		{without(FileRules), Partial, "namespaces and system call filter and resource limits"},
		{without(Namespaces, CallFilter), Partial, "file rules and resource limits"},
		{without(Namespaces, FileRules, CallFilter, ResourceLimits), None, "whatever this user can do"},
		{Support{}, None, "whatever this user can do"},
	} {
		if got := test.support.Tier(); got != test.want {
			t.Errorf("the tier of %+v is %q, want %q", test.support.layers, got, test.want)
		}
		if text := test.support.String(); !strings.HasPrefix(text, string(test.want)+": ") || !strings.Contains(text, test.says) {
			t.Errorf("the tier %q says %q, which should have %q", test.want, text, test.says)
		}
		missing := test.support.Missing()
		if (missing == nil) != (test.want == Full) {
			t.Errorf("tier %q misses %v", test.want, missing)
		}
	}
	if err := without(FileRules).Missing(); !strings.Contains(err.Error(), `file rules (REASON; REMEDY); to do without, set sandbox = "best-effort"`) {
		t.Errorf("Missing() = %v", err)
	}
}

func TestCommandModes(t *testing.T) {
	p := Program{Name: "student", Path: "/bin/true", Dir: t.TempDir()}
	for _, mode := range []Mode{Off, BestEffort} {
		s, err := New(Config{Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		cmd, err := s.Command(p)
		if err != nil || cmd.Path != p.Path || len(cmd.Args) != 1 || cmd.Args[0] != p.Name {
			t.Errorf("mode %s, no layers: Command = %+v, %v", mode, cmd, err)
		}
	}
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Command(p); !isMissing(err) {
		t.Errorf("mode enforce, no layers: Command = %v", err)
	}
	for _, bad := range []Program{{Path: p.Path, Dir: p.Dir}, {Name: "a", Path: "b", Dir: p.Dir}, {Name: "a", Path: p.Path, Dir: "c"}, {Name: "a", Path: "/\xff", Dir: p.Dir}} {
		if _, err := s.Command(bad); err == nil || isMissing(err) {
			t.Errorf("Command(%+v) = %v", bad, err)
		}
	}
}

func isMissing(err error) bool {
	_, ok := errors.AsType[*MissingError](err)
	return ok
}
