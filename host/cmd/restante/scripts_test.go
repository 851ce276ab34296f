//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPollScript kills examples/poll.sh at random moments while messages are
// added, and then looks at what it kept: every message once.
func TestPollScript(t *testing.T) {
	const messages = 200
	d := newDaemon(t)
	d.start()
	key := d.key("plain", "poll,add")
	kept := filepath.Join(t.TempDir(), "kept")
	poll := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), root+"/examples/poll.sh", "http://"+d.address, "plain", kept)
		cmd.Env = append(os.Environ(), "API_KEY="+key)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}
	added := 0
	kills := 0
	for added < messages {
		for range 10 {
			added++
			must(t, fmt.Sprint(added), "add", "plain", "--data", d.data)
		}
		cmd := poll()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(150 * time.Millisecond))
		if syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) == nil && cmd.Wait() != nil {
			kills++
		}
	}
	if out, err := poll().CombinedOutput(); err != nil {
		t.Fatalf("poll.sh: %v\n%s", err, out)
	}
	documents, err := filepath.Glob(filepath.Join(kept, "batch-*", "document"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var doc defaultDocument
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		for _, m := range doc.Messages {
			seen[string(m.Data)]++
		}
	}
	for i := range added {
		if n := seen[fmt.Sprint(i+1)]; n != 1 {
			t.Errorf("message %d was kept %d times", i+1, n)
		}
	}
	t.Logf("killed %d times; %d messages in %d documents", kills, len(seen), len(documents))
}

// TestFetchAndMarkScript runs the example of the two calls.
func TestFetchAndMarkScript(t *testing.T) {
	d := newDaemon(t)
	d.start()
	must(t, strings.Repeat("1\n", 20), "add", "plain", "--data", d.data)
	cmd := exec.CommandContext(t.Context(), root+"/examples/fetch-and-mark.sh", "http://"+d.address, "plain")
	cmd.Env = append(os.Environ(), "API_KEY="+d.key("plain", "poll"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"id": 16`) || !strings.HasSuffix(string(out), "Marked: 16, Unread: 4\n") {
		t.Errorf("fetch-and-mark.sh: %v\n%s", err, out)
	}
}

// TestReadmeTour runs the commands of the README's tour, one after the other, with
// what they make in a folder of the test.
func TestReadmeTour(t *testing.T) {
	readme, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t) // for a free port
	tour := t.TempDir()
	script := "set -euo pipefail\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		script += block[1]
	}
	for old, new := range map[string]string{
		"make build\n": "go build -o " + tour + "/restante ./host/cmd/restante\n", "bin/restante": tour + "/restante",
		"tour/": tour + "/", "127.0.0.1:8089": d.address,
	} {
		if !strings.Contains(script, old) {
			t.Errorf("the tour has no %q", old)
		}
		script = strings.ReplaceAll(script, old, new)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", "set -m; mkdir -p "+tour+"/plugins; "+script)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the tour: %v\n%s", err, out)
	}
	for _, want := range []string{"lines  poll", "active", "\n1\n", `{"id":2}`, `{"student":"S1","action":"enrol"}`, "Restante-Token: ", "Marked: 2, Unread: 0"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the tour prints no %q:\n%s", want, out)
		}
	}
}
