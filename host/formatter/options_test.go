//go:build unix

package formatter_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

// modes are the values of the setting "mode" by plugin.
type modes struct {
	mu sync.Mutex
	of map[string]string
}

func (m *modes) options(plugin string) formatter.Options {
	m.mu.Lock()
	defer m.mu.Unlock()
	mode, ok := m.of[plugin]
	if !ok {
		return formatter.Options{}
	}
	text, _ := json.Marshal(mode)
	return formatter.Options{Settings: map[string]json.RawMessage{"mode": text}}
}

func (m *modes) set(plugin, mode string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil {
		m.of = map[string]string{}
	}
	m.of[plugin] = mode
}

func withSettings(version string) plugintest.Spec {
	return plugintest.Spec{Name: "student-plugin", Version: version, Groups: []string{"student"}, Settings: true}
}

func TestSettingsAreForTheirPluginAlone(t *testing.T) {
	s := newShop(t)
	m := &modes{}
	m.set("student-plugin", "SECRET")
	s.config.Options = m.options
	s.put("student", withSettings("1"))
	s.open().ready()
	thief := withSettings("9")
	thief.Groups = []string{"other"}
	s.put("thief", thief)
	st := s.await("thief", host.PluginRejected)
	if !strings.Contains(st.Reason, `the file "student" is the plugin "student-plugin" already`) {
		t.Errorf("the state is %q", st.Reason)
	}
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "thief") && strings.Contains(line, "SECRET") {
			t.Errorf("it was given the settings of another: %s", line)
		}
	}
}

func TestRestartAndSettingsOfARolledBackPlugin(t *testing.T) {
	s := newShop(t)
	m := &modes{}
	s.config.Options = m.options
	s.put("student", withSettings("1"))
	s.open().ready()
	s.put("student", withSettings("2"))
	s.serves("student", "2")
	err := s.RollBack(t.Context(), "student")
	if err != nil && strings.Contains(err.Error(), "look again") { // it had only just begun to serve
		err = s.RollBack(t.Context(), "student")
	}
	if err != nil {
		t.Fatal(err)
	}
	pid := s.status("student").PID
	if err := s.Restart(t.Context(), "student"); err != nil || s.status("student").PID == pid {
		t.Errorf("Restart = %v", err)
	}
	m.set("student-plugin", "new")
	got, err := s.Reconfigure(t.Context())
	if err != nil || len(got) != 1 || got[0].Err != nil || string(s.status("student").Settings[0].Value) != `"new"` {
		t.Errorf("Reconfigure = %+v, %v", got, err)
	}
}

func TestNewSettingsMendAPluginThatBacksOff(t *testing.T) {
	s := newShop(t)
	s.config.Budget, s.config.Pause = 3, time.Hour
	m := &modes{}
	m.set("student-plugin", "exit")
	s.config.Options = m.options
	s.put("student", withSettings("1"))
	s.open().ready()
	s.eventually("the budget is spent", func() bool {
		return strings.Contains(s.status("student").Reason, "it failed 3 times in a row")
	})
	m.set("student-plugin", "good")
	if got, err := s.Reconfigure(t.Context()); err != nil || len(got) != 1 || got[0].Err != nil {
		t.Errorf("Reconfigure = %+v, %v", got, err)
	}
	s.serves("student", "1")
}

func TestAPluginThatFailsElsewhereIsImpure(t *testing.T) {
	s := newShop(t)
	s.stored("1")
	s.installImpure("1", "impure-fails-elsewhere")
	s.open().ready()
	if st := s.await("student", host.PluginRejected); !strings.Contains(st.Reason, "it is no pure function") {
		t.Errorf("the state is %q", st.Reason)
	}
}

func TestTheLockFileHoldsForARollBack(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	s.install("student", "2")
	s.serves("student", "2")
	if _, err := s.WriteLock(); err != nil {
		t.Fatal(err)
	}
	if err := s.RollBack(t.Context(), "student"); err == nil || !strings.Contains(err.Error(), "the version before can't take over") {
		t.Errorf("RollBack = %v", err)
	}
	s.serves("student", "2")
}
