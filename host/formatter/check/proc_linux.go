package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// memory shows the memory of the first process; it follows the large batch.
func (r *grouped) memory() {
	r.check(r.name, "memory", func(l *Check) {
		now, peak := resident(r.first.process.PID())
		if r.hangs != "" || r.first.gone() || now == 0 {
			l.is(Skipped, "there is no process to look at", "")
			return
		}
		l.Seen = fmt.Sprintf("%s after the large batch, %s at the most", size(now), size(peak))
		if peak > 1<<30 {
			l.warn("that is much for 16 MiB of messages", "keep less of a batch in memory at once")
		}
	})
}

// resident returns the memory of a process in bytes, now and at its peak, or 0.
func resident(pid int) (now, peak int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		n, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = n << 10
		case "VmHWM:":
			peak = n << 10
		}
	}
	return now, peak
}

// leftovers looks for processes that the plugin started and that are still
// there when it is gone. They carry the name of its private folder in their
// environment, whatever else they did to get away. It ends them.
func (c *checker) leftovers() {
	c.check("", "leaves nothing", func(l *Check) {
		var left []int
		// What was killed a moment ago may take that moment to go.
		for range 10 {
			if left = c.inherited(); len(left) == 0 {
				l.Seen = "no process is left behind"
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		for _, pid := range left {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			l.Details = append(l.Details, fmt.Sprintf("process %d, %s", pid, strings.TrimSpace(string(name))))
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		l.Details = quoted(l.Details)
		l.is(Failed, count(len(left), "process")+" left behind; ended now", "start no other processes: a formatter needs none")
	})
}

// inherited returns the processes that have one of our folders in their
// environment.
func (c *checker) inherited() []int {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	var found []int
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // gone, or somebody else's
		}
		for _, folder := range c.folders {
			if bytes.Contains(text, []byte("TMPDIR="+folder+"\x00")) {
				if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
					found = append(found, pid)
				}
			}
		}
	}
	return found
}
