//go:build amd64 || arm64

package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/restante/restante/host/formatter/sandbox"
)

var update = flag.Bool("update", false, "write docs/sandbox-escapes.md anew")

const escapesFile = "../../../docs/sandbox-escapes.md"

// column is one way to run the attempts.
type column struct {
	title, tier string
	root        bool
	answers     map[string]answer
}

// TestEscapes tries everything that a plugin must not do, as root and as
// nobody, with all layers, without namespaces, and with no sandbox at all, which
// shows that the attempts are real.
func TestEscapes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some 500 processes")
	}
	probe(t, sandbox.FileRules, sandbox.CallFilter, sandbox.ResourceLimits)
	programPath(t)
	var columns []*column
	for _, tier := range []struct{ title, name string }{{"full", "full"}, {"no namespaces", "no-namespaces"}, {"no sandbox", "off"}} {
		if os.Geteuid() == 0 {
			columns = append(columns, &column{title: tier.title + ", root", tier: tier.name, root: true})
		}
		columns = append(columns, &column{title: tier.title + ", user", tier: tier.name})
	}
	// Without a user namespace all threads of a user are counted together, so
	// no two columns of one user are filled at the same time.
	var trying sync.WaitGroup
	for _, root := range []bool{true, false} {
		trying.Go(func() {
			for _, c := range columns {
				if c.root == root {
					c.fill(t)
				}
			}
		})
	}
	trying.Wait()
	// Root has another way to the full tier, which the table leaves out.
	var another []*column
	if os.Geteuid() == 0 {
		another = []*column{{title: "full, root, no user namespace", tier: "full-plain", root: true}}
		another[0].fill(t)
	}
	if t.Failed() {
		return
	}
	complete := true
	for _, c := range slices.Concat(columns, another) {
		if len(c.answers) == 0 {
			t.Logf("%s: not to be had here", c.title)
			complete = false
		} else {
			judge(t, c)
		}
	}
	if !complete || len(columns) != 6 || runtime.GOARCH != "amd64" {
		return // the table is that of a complete run
	}
	compareTable(t, columns)
}

// fill has a daemon of its own make the attempts.
func (c *column) fill(t *testing.T) {
	out, err := daemon(t, "escapes "+c.tier, c.root).Output()
	if err == nil {
		err = json.Unmarshal(out, &c.answers)
	}
	if err != nil {
		t.Errorf("%s: %v", c.title, err)
	}
}

func judge(t *testing.T, c *column) {
	for _, a := range attempts() {
		got, found := c.answers[a.name]
		switch {
		case !found || got == "":
			t.Errorf("%s: %s: no answer", c.title, a.name)
		case strings.HasPrefix(c.tier, "full") && got.open():
			t.Errorf("%s: %s: %s", c.title, a.name, got)
		case c.tier == "no-namespaces" && got.open() && a.open != "all" && (a.open != "root" || !c.root):
			t.Errorf("%s: %s: %s", c.title, a.name, got)
		case c.tier == "off" && !got.open() && a.needs != "kernel" && (a.needs != "root" || c.root):
			t.Errorf("%s: %s: %s, so the attempt proves nothing", c.title, a.name, got)
		}
	}
}

// compareTable holds the table to the one that is committed. Another kernel may
// refuse by other numbers, and lack what only some have; all else must be the
// same.
func compareTable(t *testing.T, columns []*column) {
	text := table(columns)
	if *update {
		if err := os.WriteFile(escapesFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	golden, err := os.ReadFile(escapesFile)
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(text, "\n"), strings.Split(string(golden), "\n")
	if len(got) != len(want) {
		t.Fatalf("%s has %d lines, and now there are %d: run the test with -update", escapesFile, len(want), len(got))
	}
	for i := range got {
		if bare(got[i]) != bare(want[i]) {
			t.Errorf("%s: %q, now %q: run the test with -update if it is right", escapesFile, want[i], got[i])
		}
	}
}

// bare strips a line of the table of errnos, and of the answers without a
// sandbox to what not every kernel has.
func bare(line string) string {
	cells := strings.Split(line, "|")
	for i, cell := range cells {
		cell = strings.TrimSpace(cell)
		if strings.HasPrefix(cell, "denied") {
			cell = "denied"
		}
		for _, a := range attempts() {
			if a.needs == "kernel" && len(cells) > 1 && strings.TrimSpace(cells[1]) == a.name && i > 4 {
				cell = ""
			}
		}
		cells[i] = cell
	}
	return strings.Join(cells, "|")
}

func table(columns []*column) string {
	var b strings.Builder
	b.WriteString("# What was tried against the sandbox\n\nWhat a plugin may try, and what comes of it, by tier and by the user that the daemon runs as.\n" +
		"The last two columns show that the attempts are real; what is denied there too needs root, or a\n" +
		"kernel that has it. Written by `go test ./host/formatter/sandbox -run TestEscapes -update`.\n\n" +
		"| Attempt |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, a := range attempts() {
		fmt.Fprintf(&b, "| %s |", a.name)
		for _, c := range columns {
			cell := string(c.answers[a.name])
			if c.answers[a.name].open() {
				cell = "**open**"
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// tryEscapes is the daemon's side: it makes what there is to aim at, and starts
// a program for each attempt. It returns nothing if there is no such tier.
func tryEscapes(tier string) (map[string]answer, error) {
	ctx := context.Background() // of a process of its own
	support, err := sandbox.Probe(ctx)
	if err != nil {
		return nil, err
	}
	config := sandbox.Config{Mode: sandbox.Enforce}
	switch tier {
	case "full", "full-plain":
		if tier == "full-plain" {
			support = support.WithoutUserNamespace()
		}
		if support.Missing() != nil {
			fmt.Fprintln(os.Stderr, support.Missing())
			return nil, nil
		}
	case "no-namespaces":
		support = support.Without(sandbox.Namespaces, "withheld", "")
		config.Mode = sandbox.BestEffort
	case "off":
		config.Mode = sandbox.Off
	}
	folder, err := os.MkdirTemp("/tmp", "rs")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	t, err := newTarget(folder)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	answers := map[string]answer{}
	for _, a := range attempts() {
		if t.Dir, err = os.MkdirTemp(folder, "dir"); err != nil {
			return nil, err
		}
		r, err := prepare(support, config, self, t.Dir, "attempt "+a.name)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(t)
		if err != nil {
			return nil, err
		}
		r.Env = append(r.Env, targetVariable+"="+string(text))
		err = r.finish(ctx)
		line, _, _ := strings.Cut(r.stdout.String(), "\n")
		switch {
		case r.ProcessState == nil || r.ProcessState.ExitCode() == sandbox.FailedStatus:
			return nil, errors.Join(err, errors.New(r.stderr.String()))
		case line == "" && err != nil:
			line = "denied (" + ending(r.ProcessState) + ")"
		}
		answers[a.name] = answer(line)
	}
	return answers, nil
}

// ending says how a program ended that gave no answer.
func ending(state *os.ProcessState) string {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "killed, " + unix.SignalName(status.Signal())
	}
	return "crashed" // as Go's runtime does if it gets no thread
}
