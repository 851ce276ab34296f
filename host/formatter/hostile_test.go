//go:build unix

package formatter_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

// hostileCase is one thing that a plugin file may do to its host.
type hostileCase struct {
	name string
	// start and mode are those of plugintest.Spec; groups are declared beside
	// the plugin's own. put installs something else.
	start, mode string
	groups      []string
	put         func(r *rig, file string)
	// state is what the file comes to, words what the status says then.
	state host.PluginState
	words string
	// fetch is part of what a poll of its own group says; "served" for a
	// document.
	fetch string
	// after is what the status says after that.
	after string
	// also does and checks more.
	also func(r *rig, file string)
}

const (
	active   = host.PluginActive
	waiting  = host.PluginBackingOff
	rejected = host.PluginRejected

	unusable  = `can't be used; the operator finds out why with "restante plugins list"`
	restarted = "it does not run and is started again"
	overdue   = "it took longer than 2s over 1 message and was killed; it is started again"
	died      = "its process ended over this batch; it is started again"
)

// TestHostile runs every hostile plugin beside a good one in one daemon. Each
// must leave the host up, the other group served without one failed poll, its
// own group open for messages, the reason in the status, and nothing behind.
func TestHostile(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("counts what is in use in /proc")
	}
	r := newRig(t)
	for _, c := range slices.Concat(hostileFiles(t), hostileStarts, hostileAnswers, hostileLives) {
		t.Run(c.name, func(t *testing.T) {
			r.TB = t
			r.during(c.name)
			r.try(c)
		})
	}
	t.Logf("%d polls and %d adds beside, none failed; the slowest poll took %s", r.polls.Load(), r.adds.Load(), time.Duration(r.slowest.Load()).Round(time.Millisecond))
}

func (r *rig) try(c hostileCase) {
	file := strings.ReplaceAll(c.name, " ", "-")
	group := host.GroupName(file)
	before := r.quiet()
	logged := len(r.log.String())
	// The group is known, as if the plugin had been there before.
	known := host.Queue{Group: group, Method: host.Poll, Plugin: file, Formats: true, File: file}
	if err := r.queues.Declare(r.Context(), known, func(host.Queue) bool { return false }); err != nil {
		r.Fatal(err)
	}
	add := func() {
		r.Helper()
		if _, err := r.exchange.Add(r.Context(), host.AddRequest{Group: group, Body: []byte(`"x"`)}); err != nil {
			r.Errorf("Add(%s) = %v", group, err)
		}
	}
	path := filepath.Join(r.folder, file)
	r.Cleanup(func() { _ = os.Remove(path) }) // if it fails on the way
	add()
	if c.put != nil {
		c.put(r, file)
	} else {
		r.install(file, c.start, c.mode, c.groups...)
	}
	r.await(file, c.state, c.words)
	if got := r.fetch(group); !strings.Contains(got, c.fetch) || c.fetch == "" {
		r.Errorf("Fetch(%s): %q, want %q in it", group, got, c.fetch)
	}
	r.eventually("the status says "+c.after, func() bool { return strings.Contains(r.words(file), c.after) })
	if c.also != nil {
		c.also(r, file)
	}
	add()
	r.goesOn()
	r.remove(file)
	add()
	r.freed(before)
	if n := len(r.log.String()) - logged; n > 4<<20 {
		r.Errorf("%d bytes were logged", n)
	}
	counts, err := r.exchange.Store.Counts(r.Context(), group)
	if err != nil || counts.Unread < 3 {
		r.Errorf("Counts(%s) = %+v, %v, want the messages that were added", group, counts, err)
	}
}

func (r *rig) install(file, start, mode string, groups ...string) {
	r.Helper()
	plugintest.Install(r, r.folder, file, plugintest.Spec{
		Name: file, Version: "1", Groups: append([]string{file}, groups...), Start: start, Mode: mode,
	})
}

// remove removes a file and waits until it is forgotten.
func (r *rig) remove(file string) {
	r.Helper()
	if err := os.Remove(filepath.Join(r.folder, file)); err != nil {
		r.Error(err)
	}
	r.eventually("the file is forgotten", func() bool { return r.status(file).File == "" })
}

// installAs installs a plugin that is called by another name.
func (r *rig) installAs(file, name string) {
	r.Helper()
	plugintest.Install(r, r.folder, file, plugintest.Spec{Name: name, Version: "1", Groups: []string{file}})
}

// hostileFiles are files that are no plugins.
func hostileFiles(t *testing.T) []hostileCase {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	machine, other := uint16(183), "arm64"
	if runtime.GOARCH == other {
		machine, other = 62, "amd64"
	}
	foreign := append([]byte(nil), program[:4096]...)
	binary.LittleEndian.PutUint16(foreign[18:], machine)
	holds := func(content []byte) func(r *rig, file string) {
		return func(r *rig, file string) { plugintest.WriteFile(r, r.folder, file, content) }
	}
	return []hostileCase{
		{name: "empty file", put: holds(nil), state: rejected, words: "the file is empty: copy it again", fetch: unusable},
		{name: "text", put: holds([]byte("hello")), state: rejected, words: "it is a text file", fetch: unusable},
		{name: "random bytes", put: holds([]byte(strings.Repeat("\xff\xfe\x00", 200))), state: rejected, words: "it is not a program", fetch: unusable},
		{name: "wrong architecture", put: holds(foreign), state: rejected, words: "it is a program for linux/" + other, fetch: unusable},
		{name: "truncated", put: holds(program[:len(program)/2]), state: rejected, words: "the file is cut short", fetch: unusable},
		{name: "no plugin", put: holds([]byte("#!/bin/sh\necho hello\n")), state: waiting, words: "it exited with status 0 before it announced itself; it printed: hello", fetch: restarted},
		{name: "no interpreter", put: holds([]byte("#!/nowhere\n")), state: waiting, words: `its interpreter "/nowhere" is not installed`, fetch: restarted},
		{name: "not executable", state: rejected, words: "not executable: run chmod 755", fetch: unusable, put: func(r *rig, file string) {
			r.install(file+".tmp", "", "")
			if err := os.Chmod(filepath.Join(r.folder, file+".tmp"), 0o644); err != nil {
				r.Fatal(err)
			}
			if err := os.Rename(filepath.Join(r.folder, file+".tmp"), filepath.Join(r.folder, file)); err != nil {
				r.Fatal(err)
			}
		}},
		{name: "a pipe", state: rejected, words: "it is not a regular file: remove it", fetch: unusable, put: func(r *rig, file string) {
			if err := syscall.Mkfifo(filepath.Join(r.folder, file), 0o755); err != nil {
				r.Fatal(err)
			}
		}},
		{name: "a link to itself", state: rejected, words: "it is a link that leads nowhere", fetch: unusable, put: func(r *rig, file string) {
			if err := os.Symlink(file, filepath.Join(r.folder, file)); err != nil {
				r.Fatal(err)
			}
		}},
		{name: "swapped for a truncated file", state: active, fetch: "served",
			words: "the version before is still active, because of the changed file: the file is cut short",
			put: func(r *rig, file string) {
				r.install(file, "", "")
				r.await(file, active, "")
				plugintest.WriteFile(r, r.folder, file, program[:len(program)/2])
			}},
		{name: "swapped for one that fails", state: active, fetch: "served",
			words: "the version before is still active, because of the changed file: it is not a formatter plugin, or gave up: it exited with status 3",
			put: func(r *rig, file string) {
				r.install(file, "", "")
				r.await(file, active, "")
				r.install(file, "exit:3", "")
			}},
	}
}
