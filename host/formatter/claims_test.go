//go:build unix

package formatter_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

func spec(name string, groups ...string) plugintest.Spec {
	return plugintest.Spec{Name: name + "-plugin", Version: "1", Groups: groups}
}

func (s *shop) owns(file string, groups ...host.GroupName) {
	s.Helper()
	if got := s.status(file); !slices.Equal(got.Groups, groups) {
		s.Errorf("%s has the groups %q, want %q (refused: %v)", file, got.Groups, groups, got.Refused)
	}
}

func TestTwoPluginsClaimOneGroup(t *testing.T) {
	s := newShop(t)
	s.put("a", spec("a", "both", "only-a"))
	s.put("b", spec("b", "both", "only-b"))
	s.open().ready()
	s.owns("a", "both", "only-a")
	s.owns("b", "only-b")
	if got, want := s.status("b").Refused["both"], `it belongs to the plugin "a-plugin" (file "a")`; got != want {
		t.Errorf("refused: %q, want %q", got, want)
	}
	if _, err := s.WriteMessages(t.Context(), "b-plugin", batch("only-b", "1")); err != nil {
		t.Errorf("the group that b has: %v", err)
	}
	if got := s.unavailable("b-plugin", "both", "1"); !strings.Contains(got, `belongs to the plugin "a-plugin"`) {
		t.Errorf("reason: %q", got)
	}

	// The file that goes away for a while keeps its groups, and so it does over
	// a restart, until the operator releases them.
	s.remove("a")
	s.eventually("a is gone", func() bool { return s.status("a").File == "" })
	s.open().ready()
	s.owns("b", "only-b")
	if got := s.status("b").Refused["both"]; !strings.Contains(got, "restante queues release both") {
		t.Errorf("refused: %q", got)
	}
	if err := s.queues.Release(t.Context(), "both"); err != nil {
		t.Fatal(err)
	}
	s.Reclaim()
	s.eventually("b gets the group", func() bool { return len(s.status("b").Groups) == 2 })
	if _, err := s.WriteMessages(t.Context(), "b-plugin", batch("both", "1")); err != nil {
		t.Error(err)
	}

	// Over a restart it keeps the group, although a comes first by name.
	s.put("a", spec("a", "both", "only-a"))
	s.await("a", host.PluginActive)
	s.owns("a", "only-a")
	s.open().ready()
	s.owns("a", "only-a")
	s.owns("b", "both", "only-b")
}

func TestClaimsAtTheStartAreInOrder(t *testing.T) {
	s := newShop(t)
	for _, file := range []string{"e", "d", "c", "b", "a"} {
		s.put(file, spec(file, "all", "only-"+file))
	}
	s.open().ready()
	s.owns("a", "all", "only-a")
	for _, file := range []string{"b", "c", "d", "e"} {
		s.owns(file, host.GroupName("only-"+file))
	}
}

func TestOneNameInTwoFiles(t *testing.T) {
	s := newShop(t)
	s.put("old", spec("p", "g"))
	s.open().ready()
	second := spec("p", "g")
	second.Version = "2"
	s.put("copy", second)
	got := s.await("copy", host.PluginRejected)
	if want := `the file "old" is the plugin "p-plugin" already`; !strings.Contains(got.Reason, want) {
		t.Errorf("reason: %q, want %q", got.Reason, want)
	}
	s.owns("old", "g")
	s.open().ready() // the owner keeps the name, although copy comes first
	s.owns("old", "g")
	s.await("copy", host.PluginRejected)
	s.remove("old")
	s.await("copy", host.PluginActive)
	s.owns("copy", "g")
}

func TestAPluginThatChangesItsName(t *testing.T) {
	s := newShop(t)
	s.put("f", spec("one", "g"))
	s.open().ready()
	s.put("f", spec("two", "g"))
	s.held("f", `it is the plugin "two-plugin", and the file was the plugin "one-plugin"`)
	s.owns("f", "g")
	if err := s.Approve(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	s.eventually("it has its new name", func() bool { return s.status("f").Name == "two-plugin" })
	s.owns("f", "g")
	if got := s.unavailable("one-plugin", "g", "1"); !strings.Contains(got, "none of the files") {
		t.Errorf("reason: %q", got)
	}
	if _, err := s.WriteMessages(t.Context(), "two-plugin", batch("g", "1")); err != nil {
		t.Error(err)
	}
}

func TestAnOwnerDoesNotWaitForOthers(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	s.stop()
	s.config.StartTimeout = 20 * time.Second
	s.put("hangs", plugintest.Spec{Start: "hang"})
	begun := time.Now()
	s.open()
	s.serves("student", "1")
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("it waited for the plugin that hangs: %s", took)
	}
	s.remove("hangs") // which gives up the attempt
	s.ready()
}

func TestGroupsOfAPluginThatCanNotStart(t *testing.T) {
	s := newShop(t)
	s.put("student", spec("student", "student"))
	s.open().ready()
	s.stop()
	if err := os.RemoveAll(s.config.Private); err != nil { // or the version before would serve
		t.Fatal(err)
	}
	s.put("student", plugintest.Spec{Name: "student-plugin", Start: "exit:3"})
	s.put("a", spec("a", "student"))
	s.open().ready()
	if got := s.unavailable("student-plugin", "student", "1"); !strings.Contains(got, "exited with status 3") || !strings.Contains(got, "tried again") {
		t.Errorf("reason: %q", got)
	}
	s.owns("a") // the group is still another's
}
