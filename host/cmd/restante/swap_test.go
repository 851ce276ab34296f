package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/restante/restante/host"
)

var swaps = flag.Int("swaps", 10, "how often TestSwapUnderLoad replaces the plugin")

// TestSwapUnderLoad replaces a plugin again and again, by good builds and by
// files that are no plugins, while 8 pollers and 8 adders work. No poll and no
// add may fail, and each message comes out exactly once.
func TestSwapUnderLoad(t *testing.T) {
	d := newDaemon(t, "csv")
	builds := buildsOf(t, "csv", 3)
	bad := [][]byte{[]byte("no program\n"), builds[0][:len(builds[0])/2], []byte("#!/bin/sh\nexit 3\n")}
	d.start()
	key := d.key("csv", "poll,add")
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var added, polls atomic.Int64
	var mu sync.Mutex
	marked := uint64(0)
	for range 8 {
		load.Go(func() {
			for ctx.Err() == nil {
				r, err := d.call(t.Context(), "POST", "add/csv", key, "application/json", strings.NewReader(`{"a":1}`))
				if err != nil || r.status != http.StatusCreated {
					t.Errorf("an add failed: %d %s, %v", r.status, r.body, err)
					return
				}
				added.Add(1)
			}
		})
		load.Go(func() {
			for ctx.Err() == nil {
				r, err := d.fetch(t.Context(), key, "csv")
				if err != nil || r.status != http.StatusOK || !bytes.HasPrefix(r.body, []byte("id,datetime")) {
					t.Errorf("a poll failed: %d %s, %v", r.status, r.body, err)
					return
				}
				polls.Add(1)
				m, err := d.mark(t.Context(), key, "csv", r.header.Get("Restante-Token"))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				marked += m.Marked
				mu.Unlock()
			}
		})
	}
	file := filepath.Join(d.plugins, "csv")
	c := d.client()
	defer c.Close()
	status := func() host.PluginStatus {
		all, err := c.Plugins(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("Plugins = %+v, %v", all, err)
		}
		return all[0]
	}
	for i := range *swaps {
		content, good := builds[(i+1)%len(builds)], i%3 != 2
		if !good {
			content = bad[i/3%len(bad)]
		}
		before := status()
		if err := os.WriteFile(file+".tmp", content, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".tmp", file); err != nil {
			t.Fatal(err)
		}
		eventually(t, fmt.Sprintf("file %d (good: %v) is dealt with", i+1, good), func() error {
			now := status()
			if now.State == host.PluginActive && (good && now.Digest != before.Digest && now.Reason == "" || !good && now.Reason != "") {
				return nil
			}
			return fmt.Errorf("it is %s, %.12s after %.12s: %s", now.State, now.Digest, before.Digest, now.Reason)
		})
	}
	cancel()
	load.Wait()
	for {
		r, err := d.fetch(t.Context(), key, "csv")
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.mark(t.Context(), key, "csv", r.header.Get("Restante-Token"))
		if err != nil {
			t.Fatal(err)
		}
		if marked += m.Marked; m.Unread == 0 {
			break
		}
	}
	if marked != uint64(added.Load()) {
		t.Errorf("%d messages were marked, %d were added", marked, added.Load())
	}
	pid := d.cmd.Process.Pid
	eventually(t, "one plugin process is left", func() error {
		out, _ := exec.CommandContext(t.Context(), "pgrep", "-c", "-P", fmt.Sprint(pid)).Output()
		if n := strings.TrimSpace(string(out)); n != "1" {
			return fmt.Errorf("%s are", n)
		}
		return nil
	})
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	t.Logf("%d files in the place of the plugin, every third of them bad; %d adds and %d polls, none failed; each message marked once", *swaps, added.Load(), polls.Load())
}

// buildsOf builds a plugin several times, each with a digest of its own.
func buildsOf(t *testing.T, plugin string, n int) (builds [][]byte) {
	t.Helper()
	for i := range n {
		path := filepath.Join(t.TempDir(), plugin)
		build := exec.CommandContext(t.Context(), "go", "build", fmt.Sprintf("-ldflags=-buildid=%d", i), "-o", path, "github.com/restante/restante/plugins/"+plugin)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		builds = append(builds, content)
	}
	return builds
}
