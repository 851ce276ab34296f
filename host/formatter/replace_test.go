//go:build unix

package formatter_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

func TestRemoveAndReturn(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	away := filepath.Join(t.TempDir(), "student")
	path := filepath.Join(s.folder, "student")
	if err := os.Rename(path, away); err != nil {
		t.Fatal(err)
	}
	s.eventually("the process ends", func() bool { return len(children()) == 0 })
	if got, want := s.unavailable("student-plugin", "student", "1"), "its file student is not in the plugin folder: the folder is "+s.folder; got != want {
		t.Errorf("reason: %q, want %q", got, want)
	}
	if got := s.List(); len(got) != 0 {
		t.Errorf("List() = %v", got)
	}
	if err := os.Rename(away, path); err != nil {
		t.Fatal(err)
	}
	s.serves("student", "1")
}

func TestReplaceWithoutAGap(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	held := filepath.Join(t.TempDir(), "held")
	if err := os.WriteFile(held, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	calls.Go(func() { // in flight on the old version, all along
		if version, err := s.format("student", fmt.Sprintf(`{"do":"hold","text":%q}`, held)); version != "1" || err != nil {
			t.Errorf("the call in flight: %q, %v", version, err)
		}
	})
	before := s.status("student")
	s.install("student", "2")
	s.eventually("version 2 serves", func() bool {
		version, err := s.format("student", "1")
		if err != nil {
			t.Fatalf("a gap: %v", err)
		}
		return version == "2"
	})
	s.eventually("there are the old process and the new one", func() bool { return len(children()) == 2 })
	if err := os.Remove(held); err != nil {
		t.Fatal(err)
	}
	calls.Wait()
	s.eventually("the old process ends", func() bool { return len(children()) == 1 })
	after := s.status("student")
	if after.PID == before.PID || after.Digest == before.Digest || after.Version != "2" || after.Restarts != 0 {
		t.Errorf("List() = %+v, before %+v", after, before)
	}
}

func TestABadReplacementChangesNothing(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	before := s.status("student")
	plugintest.WriteFile(t, s.folder, "student", []byte("oops\n"))
	s.eventually("the text file is refused", func() bool { return strings.Contains(s.status("student").Reason, "it is a text file") })
	if got := s.status("student"); got.PID != before.PID || got.State != host.PluginActive {
		t.Errorf("List() = %+v", got)
	}
	s.serves("student", "1")
	// A crash brings back what worked, and the reason is still shown.
	s.unavailable("student-plugin", "student", `{"do":"exit","n":1}`)
	s.serves("student", "1")
	if got := s.status("student"); !strings.Contains(got.Reason, "it is a text file") || got.Restarts != 1 {
		t.Errorf("List() = %+v", got)
	}
	s.install("student", "3")
	s.serves("student", "3")
	s.eventually("all is well", func() bool { return s.status("student").Reason == "" })
}

func TestAFileThatIsBeingWritten(t *testing.T) {
	s := newShop(t)
	s.config.Settle = 500 * time.Millisecond
	s.open().ready()
	path := plugintest.Install(t, t.TempDir(), "student", plugintest.Spec{Name: "student-plugin", Version: "1", Groups: []string{"student"}})
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(s.folder, "student"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	const parts = 40
	for i := range parts {
		if _, err := f.Write(content[i*len(content)/parts : (i+1)*len(content)/parts]); err != nil {
			t.Fatal(err)
		}
		<-tick.C
		if st := s.status("student"); st.State != host.PluginStarting && st.State != "" {
			t.Fatalf("after %d of %d parts: %+v", i+1, parts, st)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s.serves("student", "1")
}

func TestALinkToAPluginIsFollowed(t *testing.T) {
	s := newShop(t)
	elsewhere := t.TempDir()
	target := plugintest.Install(t, elsewhere, "v", plugintest.Spec{Name: "student-plugin", Version: "1", Groups: []string{"student"}})
	if err := os.Symlink(target, filepath.Join(s.folder, "student")); err != nil {
		t.Fatal(err)
	}
	s.open().ready()
	s.serves("student", "1")
	// No event tells of this; the next rescan does.
	plugintest.Install(t, elsewhere, "v", plugintest.Spec{Name: "student-plugin", Version: "2", Groups: []string{"student"}})
	s.serves("student", "2")
}

func TestOldCopiesAreRemoved(t *testing.T) {
	s := newShop(t)
	if err := os.Mkdir(s.private, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{strings.Repeat("0a", 32), "copy-123", "keep me"} {
		if err := os.WriteFile(filepath.Join(s.private, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.install("student", "1")
	s.open().ready()
	entries, err := os.ReadDir(s.private)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	want := []string{s.status("student").Digest, "keep me"}
	if slices.Sort(want); !slices.Equal(names, want) {
		t.Errorf("copies: %q, want %q", names, want)
	}
	if info, err := os.Stat(filepath.Join(s.private, s.status("student").Digest)); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("the copy: %v, %v", info.Mode(), err)
	}
}

func TestALostCopyIsMadeAgain(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	copies, err := filepath.Glob(filepath.Join(s.config.Private, "*"))
	if err != nil || len(copies) != 1 {
		t.Fatalf("the copies are %q, %v", copies, err)
	}
	if err := os.Remove(copies[0]); err != nil {
		t.Fatal(err)
	}
	s.unavailable("student-plugin", "student", `{"do":"exit","n":1}`)
	s.serves("student", "1")
}

func TestOtherFoldersAreLeftAlone(t *testing.T) {
	s := newShop(t)
	base := t.TempDir()
	other := filepath.Join(base, "d1", "copy-123")
	if err := errors.Join(os.Mkdir(filepath.Dir(other), 0o700), os.WriteFile(other, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d[1]", "d["} { // patterns, to some
		s.config.Private = filepath.Join(base, name)
		s.open().ready()
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}

// TestNamesChangeWithoutAGap replaces a plugin by one of another name while
// calls go on.
func TestNamesChangeWithoutAGap(t *testing.T) {
	s := newShop(t)
	groups := []string{"a", "b", "c", "d"}
	put := func(name, version string) {
		s.put("f", plugintest.Spec{Name: name, Version: version, Groups: groups})
	}
	put("one", "0")
	s.open().ready()
	for i := range 4 {
		name := []string{"two", "one"}[i%2]
		put(name, fmt.Sprint(i+1))
		s.held("f", "it is the plugin")
		go func() { _ = s.Approve(t.Context(), "f") }()
		s.eventually("the new version serves", func() bool {
			q, err := s.queues.Queue("a")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.WriteMessages(t.Context(), q.Plugin, batch("a", "1")); err != nil {
				t.Fatalf("a gap: %v", err)
			}
			return s.status("f").Version == fmt.Sprint(i+1)
		})
	}
}

// TestAFileThatLeavesDuringTheFirstScan must not keep its name.
func TestAFileThatLeavesDuringTheFirstScan(t *testing.T) {
	s := newShop(t)
	s.config.StartTimeout = 2 * time.Second
	s.put("slow", plugintest.Spec{Name: "slow", Start: "hang"})
	s.put("old", spec("p", "g"))
	s.open()
	s.eventually("it runs", func() bool { return len(children()) == 2 })
	s.remove("old")
	s.ready()
	s.put("new", spec("p", "g"))
	s.await("new", host.PluginActive)
	s.owns("new", "g")
}
