//go:build unix

package formatter_test

import (
	"strings"
	"testing"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

func (s *shop) installImpure(version, mode string) {
	s.Helper()
	s.put("student", plugintest.Spec{Name: "student-plugin", Version: version, Groups: []string{"student"}, Mode: mode})
}

func TestAnImpurePluginDoesNotServe(t *testing.T) {
	for mode, cause := range map[string]string{
		"impure-random":  "it looks random",
		"impure-map":     "it looks like the order of a map",
		"impure-time":    "it looks like the current time",
		"impure-pid":     "it looks like a process id",
		"impure-counter": "it looks like a counter",
		"impure-zone":    "it looks like the time",
	} {
		t.Run(mode, func(t *testing.T) {
			s := newShop(t)
			s.stored("1", "[2]")
			s.installImpure("1", mode)
			s.open().ready()
			st := s.await("student", host.PluginRejected)
			if !strings.Contains(st.Reason, "it is no pure function") || !strings.Contains(st.Reason, cause) || st.Impurity == nil || len(st.Impurity.Details) == 0 {
				t.Errorf("the state is %q, %+v", st.Reason, st.Impurity)
			}
			s.unavailable("student-plugin", "student", "1")
		})
	}
}

func TestAnImpureVersionIsHeldUntilItIsApproved(t *testing.T) {
	s := newShop(t)
	s.stored("1")
	s.installImpure("1", "")
	s.open().ready()
	if v := s.status("student").Versions[0]; !v.Pure {
		t.Errorf("the version is %+v", v)
	}
	s.installImpure("2", "impure-counter")
	s.held("student", "it is no pure function")
	s.serves("student", "1")
	if err := s.Approve(t.Context(), "student"); err != nil {
		t.Fatal(err)
	}
	s.serves("student", "2")
}

func TestWhatTheOperatorAcceptsIsNotChecked(t *testing.T) {
	s := newShop(t)
	s.config.Options = func(string) formatter.Options { return formatter.Options{Impure: true, Sample: 1} }
	s.installImpure("1", "impure-counter")
	s.open().ready()
	s.serves("student", "1")
}

func TestBatchesThatLeaveAreSampled(t *testing.T) {
	for _, policy := range []formatter.Impure{formatter.ImpureReport, formatter.ImpureQuarantine} {
		t.Run(string(policy), func(t *testing.T) {
			s := newShop(t)
			s.config.Options = func(string) formatter.Options { return formatter.Options{Sample: 1, OnImpure: policy} }
			s.installImpure("1", "impure-late")
			s.open().ready()
			s.eventually("a batch is formatted again", func() bool {
				_, _ = s.format("student", "1")
				return s.status("student").Usage.Sampled > 0
			})
			s.eventually("it is found out", func() bool {
				_, _ = s.format("student", "1")
				return s.status("student").Impurity != nil
			})
			if st := s.status("student"); !strings.Contains(st.Impurity.Reason, "2 different answers in 2 runs over 2 processes") {
				t.Errorf("the impurity is %+v", st.Impurity)
			}
			if policy == formatter.ImpureReport {
				if _, err := s.format("student", "1"); err != nil {
					t.Errorf("it does not serve any more: %v", err)
				}
				return
			}
			st := s.await("student", host.PluginRejected)
			if !strings.Contains(st.Reason, "its version is quarantined: it is no pure function") || st.Held == "" {
				t.Errorf("the state is %+v", st)
			}
			s.open().ready() // a restart changes nothing
			s.await("student", host.PluginRejected)
			s.installImpure("2", "")
			s.serves("student", "2")
			s.installImpure("3", "impure-late")
			s.serves("student", "3")
			s.eventually("it is rolled back", func() bool {
				version, err := s.format("student", "1")
				return err == nil && version == "2"
			})
			if err := s.Approve(t.Context(), "student"); err != nil {
				t.Errorf("%v: %+v", err, s.status("student"))
			}
		})
	}
}
