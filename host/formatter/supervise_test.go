//go:build unix

package formatter_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

func TestACrashDuringAComparisonIsMendedAtOnce(t *testing.T) {
	s := newShop(t)
	hold := filepath.Join(t.TempDir(), "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.stored(fmt.Sprintf(`{"do":"hold","text":%q}`, hold))
	s.install("student", "1")
	s.open().ready()
	before := s.status("student").PID
	s.install("student", "2")
	s.eventually("the new version is compared", func() bool { return len(children()) == 3 })
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	s.serves("student", "1")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s until a process served again", took)
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	s.serves("student", "2")
}

func TestABudgetOfCrashes(t *testing.T) {
	s := newShop(t)
	s.config.Budget, s.config.Pause = 3, time.Hour
	s.put("student", plugintest.Spec{Name: "student-plugin", Version: "1", Start: "exit:3"})
	s.open().ready()
	s.eventually("the budget is spent", func() bool {
		return strings.Contains(s.status("student").Reason, "it failed 3 times in a row and is tried again in ")
	})
	st := s.await("student", host.PluginBackingOff)
	if e := st.LastExit; e == nil || e.Code != 3 || len(e.Stderr) != 1 || e.Stderr[0] != "config file missing" {
		t.Errorf("the last exit is %+v", e)
	}
	if err := s.Restart(t.Context(), "student"); err == nil || !strings.Contains(err.Error(), "status 3") {
		t.Errorf("Restart = %v", err)
	}
	s.install("student", "2")
	s.serves("student", "2")
}

func TestRestart(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	before := s.status("student")
	if err := s.Restart(t.Context(), "student-plugin"); err != nil {
		t.Fatal(err)
	}
	after := s.status("student")
	if after.PID == before.PID || after.Digest != before.Digest || after.Restarts != 0 || after.Reason != "" {
		t.Errorf("the state is %+v, was %+v", after, before)
	}
	if err := s.Restart(t.Context(), "nobody"); err == nil {
		t.Error("nobody is restarted")
	}
}

func TestAPanicIsKept(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	s.unavailable("student-plugin", "student", `{"do":"exit","n":7}`)
	s.serves("student", "1")
	st := s.status("student")
	if e := st.LastExit; e == nil || e.Code != 7 || e.Reason != "it exited with status 7" || e.Time.IsZero() {
		t.Errorf("the last exit is %+v", e)
	}
	if u := st.Usage; u.Failed < 1 || u.Calls <= u.Failed || u.InFlight != 0 || u.P50 <= 0 || u.P99 < u.P50 {
		t.Errorf("the usage is %+v", u)
	}
	if b := st.Build; !strings.HasPrefix(b.Language, "go1.") {
		t.Errorf("the build is %+v", b)
	}
}

func TestCopiesOfForgottenVersionsAreRemoved(t *testing.T) {
	s := newShop(t)
	s.install("student", "0")
	s.open().ready()
	for i := range 7 {
		s.install("student", fmt.Sprint(i))
		s.serves("student", fmt.Sprint(i))
	}
	entries, err := os.ReadDir(s.private)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.status("student").Versions); n != 5 || len(entries) != n {
		t.Errorf("%d copies of %d versions", len(entries), n)
	}
}
