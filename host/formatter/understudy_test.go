//go:build unix

package formatter_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

func (s *shop) understudy(group string) host.Understudy {
	s.Helper()
	u, err := s.Understudy(s.Context(), group+"-plugin", host.GroupName(group))
	if err != nil {
		s.Fatal(err)
	}
	return u
}

// TestUnderstudy has an understudy fail in every way. It must say how, come back,
// and leave no trace at the plugin that serves.
func TestUnderstudy(t *testing.T) {
	s := newShop(t)
	s.config.CallTimeout = time.Second
	s.config.Trial = time.Hour
	s.install("student", "1")
	s.open().ready()
	s.install("student", "2") // which is on trial
	s.serves("student", "2")
	before := s.status("student")
	logged := len(s.log.String())
	u := s.understudy("student")
	defer u.Close(t.Context())
	if u.Edition() != s.Edition("student-plugin") || u.Edition().Digest != before.Digest || u.Edition().Setup == "" {
		t.Errorf("the understudy is %+v, what serves is %+v", u.Edition(), s.Edition("student-plugin"))
	}
	for range 2 {
		for data, want := range map[string]string{
			`{"do":"panic","text":"no way"}`:           "its process ended: panic: no way",
			`{"do":"exit","n":7}`:                      "its process ended: it exited with status 7",
			`{"do":"error","text":"not today"}`:        "not today",
			`{"do":"spin"}`:                            "it took longer than 1s",
			`{"do":"none"}`:                            "its answer breaks the contract",
			`{"do":"type","text":"x"}`:                 `the content type "x" is not a media type`,
			`{"do":"reject","n":9,"text":"of nobody"}`: "it rejected message 10, which is not in the batch",
		} {
			_, err := u.WriteMessages(t.Context(), batch("student", data))
			why, ok := errors.AsType[*host.UnavailableError](err)
			if !ok || !strings.Contains(why.Failed, want) {
				t.Errorf("%s: %v, want %q", data, err, want)
			}
		}
	}
	// What it prints is read in time of its own, so this is the last of its words.
	d, err := u.WriteMessages(t.Context(), batch("student", `{"do":"stderr","text":"{\"a\":1}","n":10000}`))
	if err != nil || !strings.HasPrefix(string(d.Body), "student/T/2") || d.Origin != u.Edition().Origin {
		t.Errorf("much on standard error: %+v, %v", d, err)
	}
	_, err = u.WriteMessages(t.Context(), batch("student", `{"do":"reject","text":"I don't like it"}`))
	if rejected, ok := errors.AsType[*host.RejectedError](err); !ok || rejected.Rejections[0].Reason != "I don't like it" {
		t.Errorf("a rejection is %v", err)
	}
	after := s.status("student")
	if after.PID != before.PID || after.Restarts != 0 || after.Failure != "" || after.LastExit != nil || after.Usage != before.Usage || after.Version != "2" {
		t.Errorf("what serves was %+v and is %+v", before, after)
	}
	for line := range strings.Lines(s.log.String()[logged:]) {
		if !strings.Contains(line, "[DEBUG]") && strings.HasPrefix(line, "20") {
			t.Errorf("it is logged: %s", line)
		}
	}
}

func TestUnderstudyOfAProcessThatHasEnded(t *testing.T) {
	s := newShop(t)
	s.config.MinBackoff, s.config.MaxBackoff = time.Hour, time.Hour
	s.install("student", "1")
	s.open().ready()
	edition := s.Edition("student-plugin")
	_, err := s.format("student", `{"do":"exit","n":1}`)
	if why, ok := errors.AsType[*host.UnavailableError](err); !ok || why.Failed == "" {
		t.Fatalf("an exit is %v", err)
	}
	s.await("student", host.PluginBackingOff)
	_, err = s.format("student", "1")
	if why, ok := errors.AsType[*host.UnavailableError](err); !ok || why.Failed != "" {
		t.Errorf("what could not be asked has failed: %v", err)
	}
	u := s.understudy("student")
	if u.Edition() != edition || s.Edition("student-plugin") != edition {
		t.Errorf("the edition was %+v, is %+v, and of the understudy %+v", edition, s.Edition("student-plugin"), u.Edition())
	}
	if _, err := u.WriteMessages(t.Context(), batch("student", "1")); err != nil {
		t.Error(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	u.Close(over)
}

func TestEditionIsOfTheSettings(t *testing.T) {
	s := newShop(t)
	m := &modes{}
	s.config.Options = m.options
	m.set("student-plugin", "SECRET")
	s.put("student", withSettings("1"))
	s.open().ready()
	before := s.Edition("student-plugin")
	m.set("student-plugin", "other")
	if _, err := s.Reconfigure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := s.Edition("student-plugin"); after.Origin != before.Origin || after.Setup == before.Setup || strings.Contains(after.Setup, "other") {
		t.Errorf("the edition was %+v and is %+v", before, after)
	}
	if e := s.Edition("nobody"); e != (host.Edition{}) {
		t.Errorf("the edition of nobody is %+v", e)
	}
}

// TestUnderstudyEndsWithTheDaemon has the daemon stop in the middle of a call.
func TestUnderstudyEndsWithTheDaemon(t *testing.T) {
	s := newShop(t)
	s.put("student", plugintest.Spec{Name: "student-plugin", Version: "1", Groups: []string{"student", "other"}})
	s.open().ready()
	u := s.understudy("student")
	called := make(chan error)
	go func() {
		_, err := u.WriteMessages(context.WithoutCancel(t.Context()), batch("student", `{"do":"spin"}`))
		u.Close(context.WithoutCancel(t.Context()))
		called <- err
	}()
	s.eventually("it is being asked", func() bool { return len(children()) == 2 })
	go s.stop()
	if err := <-called; !errors.Is(err, context.Canceled) {
		t.Errorf("a call that the stop cut off = %v", err)
	}
	s.stop()
	if _, err := s.Understudy(t.Context(), "student-plugin", "student"); err == nil {
		t.Error("there is an understudy after the end")
	}
}

var _ host.Formatters = (*formatter.Plugins)(nil)
