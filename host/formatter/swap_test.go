//go:build unix

package formatter_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

// held waits until a version of a file is kept from serving for a reason.
func (s *shop) held(file, reason string) host.PluginStatus {
	s.Helper()
	s.eventually("the new version is held", func() bool {
		st := s.status(file)
		return st.Held != "" && st.Held != st.Digest && strings.Contains(st.Reason, reason)
	})
	return s.status(file)
}

// stored gives every group these messages to compare with.
func (s *shop) stored(data ...string) {
	s.config.Recent = func(_ context.Context, g host.GroupName, limit int) ([]host.Message, error) {
		return batch(string(g), data...).Messages, nil
	}
}

func TestASwapKeepsTheDifferences(t *testing.T) {
	s := newShop(t)
	s.stored("1", "[2]", "{}")
	s.install("student", "1")
	s.open().ready()
	s.install("student", "2")
	s.serves("student", "2")
	st := s.status("student")
	if st.Comparison == nil || st.Comparison.From != "1" || st.Comparison.To != "2" || len(st.Comparison.Groups) != 1 {
		t.Fatalf("the comparison is %+v", st.Comparison)
	}
	g := st.Comparison.Groups[0]
	if g.Group != "student" || g.Messages != 3 || g.Changed != 3 || g.Broken != "" || len(g.Differences) != 4 {
		t.Errorf("the group's comparison is %+v, want 3 of 3 changed and the empty batch", g)
	}
	for _, d := range g.Differences {
		if !strings.Contains(d.Diff, "-student/preview/1\n") || !strings.Contains(d.Diff, "+student/preview/2\n") {
			t.Errorf("a difference is %q", d.Diff)
		}
	}
	if len(st.Versions) != 2 || st.Versions[0].Version != "2" || st.Versions[0].Served.IsZero() || st.Versions[1].Version != "1" {
		t.Errorf("the versions are %+v", st.Versions)
	}
}

func TestAChangeWaitsForApproval(t *testing.T) {
	s := newShop(t)
	s.stored("1")
	s.config.Options = func(plugin string) formatter.Options {
		return formatter.Options{Approval: plugin == "student-plugin"}
	}
	s.install("student", "1")
	s.open().ready()
	if err := s.Approve(t.Context(), "student"); err == nil || !strings.Contains(err.Error(), "nothing to decide") {
		t.Errorf("Approve of nothing = %v", err)
	}
	s.install("student", "2")
	st := s.held("student", `version "2" writes other documents than version "1"`)
	if st.Comparison == nil || !st.Comparison.Changed() || st.State != host.PluginActive {
		t.Errorf("List() = %+v", st)
	}
	s.serves("student", "1")
	s.open().ready() // a restart changes nothing
	s.serves("student", "1")
	s.held("student", "writes other documents")
	if err := s.Approve(t.Context(), "student-plugin"); err != nil {
		t.Fatal(err)
	}
	s.serves("student", "2")
	s.open().ready()
	s.serves("student", "2")
	if st := s.status("student"); st.Held != "" || st.Reason != "" {
		t.Errorf("List() = %+v", st)
	}
	if err := s.Approve(t.Context(), "nobody"); err == nil {
		t.Error("Approve of nobody succeeded")
	}
}

func TestAVersionThatServesLessIsHeld(t *testing.T) {
	s := newShop(t)
	s.put("f", plugintest.Spec{Name: "p", Version: "1", Groups: []string{"a", "b"}})
	s.open().ready()
	s.put("f", plugintest.Spec{Name: "p", Version: "2", Groups: []string{"a"}})
	s.held("f", `it does not declare the group "b" any more`)
	for _, g := range []string{"a", "b"} {
		if _, err := s.WriteMessages(t.Context(), "p", batch(g, "1")); err != nil {
			t.Errorf("group %s: %v", g, err)
		}
	}
	if err := s.Approve(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteMessages(t.Context(), "p", batch("b", "1")); err == nil {
		t.Error("a group that is not declared any more was formatted")
	}
}

func TestRollBackByHand(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	if err := s.RollBack(t.Context(), "student"); err == nil || !strings.Contains(err.Error(), "no version") {
		t.Errorf("RollBack of the first version = %v", err)
	}
	s.install("student", "2")
	s.serves("student", "2")
	if err := s.RollBack(t.Context(), "student"); err != nil {
		t.Fatal(err)
	}
	s.serves("student", "1")
	s.held("student", "quarantined: it was rolled back by hand")
	s.open().ready()
	s.serves("student", "1")
	s.held("student", "quarantined")
	s.unavailable("student-plugin", "student", `{"do":"exit","n":1}`)
	s.serves("student", "1") // a crash does not bring the bad one back
	s.install("student", "3")
	s.serves("student", "3")
	s.install("student", "2") // the digest is quarantined, not the name
	s.held("student", "quarantined")
	s.serves("student", "3")
	if err := s.Approve(t.Context(), "student"); err != nil {
		t.Fatal(err)
	}
	s.serves("student", "2")
}

func TestABadVersionIsRolledBack(t *testing.T) {
	for name, c := range map[string]struct{ do, why string }{
		"crashes": {`{"do":"exit","n":7}`, "it crashed 3 times on trial: it exited with status 7"},
		"errors":  {`{"do":"error-in-2","text":"no good"}`, "5 of its calls failed on trial, the last one like this: it failed: no good"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.install("student", "1")
			s.open().ready()
			s.install("student", "2")
			s.serves("student", "2")
			s.eventually("the version before serves again", func() bool {
				version, _ := s.format("student", "1")
				if version == "2" {
					_, _ = s.WriteMessages(t.Context(), "student-plugin", batch("student", c.do))
				}
				return version == "1"
			})
			if st := s.held("student", c.why); st.Version != "1" {
				t.Errorf("List() = %+v", st)
			}
		})
	}
}

// TestWhatFailsInBothIsNoReasonToGoBack: a batch that no version can format must
// not cost one version after the other.
func TestWhatFailsInBothIsNoReasonToGoBack(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	s.install("student", "2")
	s.serves("student", "2")
	for range 12 {
		s.unavailable("student-plugin", "student", `{"do":"error","text":"no good"}`)
	}
	s.eventually("it was tried with the version before", func() bool {
		return strings.Contains(s.log.String(), "plugin not rolled back: the version before fails, too")
	})
	s.serves("student", "2")
}

// TestCallsInFlightOutliveASwap: the old version has its whole time.
func TestCallsInFlightOutliveASwap(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	held := filepath.Join(t.TempDir(), "held")
	if err := os.WriteFile(held, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	go func() {
		version, err := s.format("student", fmt.Sprintf(`{"do":"hold","text":%q}`, held))
		done <- fmt.Sprint(version, err)
	}()
	s.eventually("the call is in flight", func() bool { return len(children()) == 1 })
	s.install("student", "2")
	s.serves("student", "2")
	time.Sleep(6 * time.Second) // longer than a stop of the daemon would wait
	if err := os.Remove(held); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got != "1<nil>" {
		t.Errorf("the call in flight ended with %s", got)
	}
}

// TestAVersionThatArrivesWhileNoneServesIsProven: the usual moment to install a
// version is when the one before is down.
func TestAVersionThatArrivesWhileNoneServesIsProven(t *testing.T) {
	s := newShop(t)
	s.stored("1")
	s.config.Options = func(string) formatter.Options { return formatter.Options{Approval: true} }
	s.config.MinBackoff, s.config.MaxBackoff = time.Hour, time.Hour
	s.install("student", "1")
	s.open().ready()
	s.unavailable("student-plugin", "student", `{"do":"exit","n":1}`)
	s.await("student", host.PluginBackingOff)
	s.install("student", "2")
	s.held("student", "writes other documents")
	s.serves("student", "1")
}

// TestDecisionsAreAnswered also when the file leaves, or the daemon stops.
func TestDecisionsAreAnswered(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	s.install("student", "2")
	s.serves("student", "2")
	s.stop()
	if err := s.RollBack(t.Context(), "student"); err == nil {
		t.Error("RollBack after the end succeeded")
	}
}

func TestHistoryKeepsWhatItNeeds(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	for _, version := range []string{"2", "3"} {
		s.install("student", version)
		s.serves("student", version)
	}
	if err := s.RollBack(t.Context(), "student"); err != nil { // 3 is in quarantine
		t.Fatal(err)
	}
	s.serves("student", "2")
	for i := range 6 { // none of these ever serves
		s.put("student", plugintest.Spec{Name: "student-plugin", Version: fmt.Sprint("bad", i), Start: "exit:3"})
		s.eventually("it is refused", func() bool { return strings.Contains(s.status("student").Reason, "status 3") })
		s.eventually("it was seen", func() bool { return s.status("student").Versions[0].Digest != "" })
	}
	s.install("student", "3")
	s.held("student", "quarantined")
	if err := s.RollBack(t.Context(), "student"); err != nil { // from 2 to 1
		t.Fatal(err)
	}
	s.serves("student", "1")
}

func TestAfterTheTrialNothingIsRolledBack(t *testing.T) {
	s := newShop(t)
	s.config.Trial = time.Nanosecond
	s.install("student", "1")
	s.open().ready()
	s.install("student", "2")
	s.serves("student", "2")
	for range 6 {
		s.unavailable("student-plugin", "student", `{"do":"error","text":"no good"}`)
	}
	s.serves("student", "2")
}

func TestPreview(t *testing.T) {
	s := newShop(t)
	s.stored("1", "2")
	s.install("student", "1")
	s.open().ready()
	away := t.TempDir()
	path := plugintest.Install(t, away, "new", plugintest.Spec{Name: "student-plugin", Version: "2", Groups: []string{"student"}})
	c, err := s.Preview(t.Context(), path)
	if err != nil || c.From != "1" || c.To != "2" || !c.Changed() || c.Groups[0].Messages != 2 {
		t.Errorf("Preview() = %+v, %v", c, err)
	}
	s.eventually("the previewed process ends", func() bool { return len(children()) == 1 })
	s.serves("student", "1")
	for what, path := range map[string]string{
		"no file":        away + "/none",
		"a text file":    plugintest.WriteFile(t, away, "text", []byte("hello")),
		"another plugin": plugintest.Install(t, away, "other", plugintest.Spec{Name: "other", Version: "2", Groups: []string{"student"}}),
	} {
		if _, err := s.Preview(t.Context(), path); err == nil {
			t.Errorf("%s: Preview succeeded", what)
		} else {
			t.Log(err)
		}
	}
}

func TestTheLockFile(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	pins, err := s.WriteLock()
	if err != nil || pins["student"] != s.status("student").Digest {
		t.Fatalf("WriteLock() = %v, %v", pins, err)
	}
	s.install("student", "2")
	s.eventually("the new version is refused", func() bool {
		st := s.status("student")
		return strings.Contains(st.Reason, "plugins.lock says "+pins["student"][:12]) && strings.Contains(st.Reason, "restante plugins lock")
	})
	s.serves("student", "1")
	s.install("other", "1")
	if got := s.await("other", host.PluginRejected).Reason; !strings.Contains(got, "not in plugins.lock") {
		t.Errorf("reason: %q", got)
	}
	if _, err := s.WriteLock(); err != nil { // the file alone lets both in
		t.Fatal(err)
	}
	s.serves("student", "2")
	s.serves("other", "1")

	lock := filepath.Join(s.folder, "plugins.lock")
	if err := os.WriteFile(lock, []byte("oops\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.install("third", "1")
	if got := s.await("third", host.PluginRejected).Reason; !strings.Contains(got, "line 1 of plugins.lock is malformed") {
		t.Errorf("reason: %q", got)
	}
	s.config.Lock = formatter.LockWarn
	s.open().ready()
	s.serves("third", "1")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	s.config.Lock = formatter.LockRequire
	s.open().ready()
	if got := s.await("third", host.PluginRejected).Reason; !strings.Contains(got, "there is no plugins.lock") {
		t.Errorf("reason: %q", got)
	}
}
