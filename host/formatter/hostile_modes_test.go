//go:build unix

package formatter_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/restante/restante/host"
)

// hostileStarts do not come up.
var hostileStarts = []hostileCase{
	{name: "exits at once", start: "exit:3", state: waiting, words: "it exited with status 3 before it announced itself; it printed: config file missing", fetch: restarted},
	{name: "panics at once", start: "panic", state: waiting, words: "it crashed before it was ready: panic: no way to start", fetch: restarted},
	{name: "segfaults at once", start: "signal:11", state: waiting, words: "it crashed before it was ready: SIGSEGV", fetch: restarted},
	{name: "is killed at once", start: "signal:9", state: waiting, words: "it was ended by a signal (killed, perhaps for want of memory) before it was ready", fetch: restarted},
	{name: "stops at once", start: "stopped", state: waiting, words: "it did not announce itself within 1.5s; it printed nothing", fetch: restarted},
	{name: "no handshake", start: "hang", state: waiting, words: "it did not announce itself within 1.5s; it printed: thinking", fetch: restarted},
	{name: "no server", start: "mute", state: waiting, words: "it announced itself but could not be called within 1.5s", fetch: restarted},
	{name: "closes stdout", start: "close-stdout", state: waiting, words: "it closed its standard output before it announced itself", fetch: restarted},
	{name: "floods stdout first", start: "flood-stdout", state: rejected, words: "it printed more than 1 MiB to standard output and never announced itself", fetch: unusable},
	{name: "net rpc", start: "netrpc", state: rejected, words: `it speaks "netrpc", but formatter plugins speak "grpc"`, fetch: unusable},
	{name: "other protocol version", start: "say:1|99|unix|DIR/s|grpc|", state: rejected, words: "it speaks protocol version 99, this daemon speaks 1", fetch: unusable},
	{name: "other handshake version", start: "say:2|1|unix|DIR/s|grpc|", state: rejected, words: "version 2 of go-plugin's handshake", fetch: unusable},
	{name: "tcp address", start: "say:1|1|tcp|127.0.0.1:22|grpc|", state: rejected, words: `it announced the address "tcp|127.0.0.1:22", which is not of a unix socket`, fetch: unusable},
	{name: "foreign socket", start: "say:1|1|unix|/var/run/docker.sock|grpc|", state: rejected, words: `it announced the socket "/var/run/docker.sock", which is not in its own folder`, fetch: unusable},
	{name: "socket by way of dots", start: "say:1|1|unix|DIR/../../../var/run/docker.sock|grpc|", state: rejected, words: "which is not in its own folder", fetch: unusable},
	{name: "socket behind a link", start: "link:/var/run/docker.sock", state: rejected, words: "which is not a socket", fetch: unusable},
	{name: "no socket", start: "say:1|1|unix|DIR/s|grpc|", state: rejected, words: "which is not a socket", fetch: unusable},

	{name: "exits in Discover", mode: "discover-exit:4", state: waiting, words: "it could not say what it is: its process ended: it exited with status 4", fetch: restarted},
	{name: "panics in Discover", mode: "discover-panic", state: waiting, words: "it could not say what it is: its process ended: it crashed: panic: no idea who I am", fetch: restarted},
	{name: "hangs in Discover", mode: "discover-hang", state: waiting, words: "it could not say what it is: it did not answer in time: it had 1s", fetch: restarted},
	{name: "no groups", mode: "discover-none", state: rejected, words: "it declares no group", fetch: unusable},
	{name: "ten thousand groups", mode: "discover-many:10000", state: rejected, words: "it declares 10000 groups, at most 1000 are allowed", fetch: unusable},
	{name: "a description of 1 GB", mode: "discover-large:1000000000", state: rejected, words: "it is larger than 64 MiB", fetch: unusable},
	{name: "a title that is no text", mode: "discover-bad-text", state: rejected, words: "a text in it is not UTF-8", fetch: unusable},
	{name: "answers that are no protobuf", mode: "garbage", state: rejected, words: "it is no valid protobuf message", fetch: unusable},
	{name: "the name of another", state: rejected, words: `plugin name is taken: the file "good" is the plugin "good-plugin" already`, fetch: unusable,
		put: func(r *rig, file string) { r.installAs(file, "good-plugin") }},
}

// hostileAnswers are active until they are asked to format something.
var hostileAnswers = []hostileCase{
	{name: "never answers", mode: "hang", state: active, fetch: overdue, after: "it took longer than 2s over a batch"},
	{name: "never answers thirty callers", mode: "hang", state: active, fetch: overdue, also: func(r *rig, file string) {
		// Each has a turn or an end: no caller waits for more than the batch
		// before it and its own.
		r.await(file, active, "")
		begun := time.Now()
		var callers sync.WaitGroup
		for range 30 {
			callers.Go(func() {
				if got := r.fetch(host.GroupName(file)); got == "served" {
					r.Errorf("Fetch: %q", got)
				}
			})
		}
		callers.Wait()
		if took := time.Since(begun); took > 2*rigCall {
			r.Errorf("30 callers waited for %s", took)
		}
	}},
	{name: "answers too late", mode: "late:2500", state: active, fetch: overdue, after: "it took longer than 2s over 1 message and was killed"},
	{name: "spins", mode: "spin", state: active, fetch: overdue, after: "was killed"},
	{name: "stops itself", mode: "stop", state: active, fetch: overdue, after: "was killed"},
	{name: "exits over a call", mode: "exit:5", state: active, fetch: died, after: "it exited with status 5"},
	{name: "crashes on the third call", mode: "third", state: active, fetch: "served", also: func(r *rig, file string) {
		g := host.GroupName(file)
		if second, third := r.fetch(g), r.fetch(g); second != "served" || !strings.Contains(third, died) || !strings.Contains(third, "it crashed: panic: two are enough") {
			r.Errorf("second: %s; third: %s", second, third)
		}
		r.eventually("it is served again", func() bool { return r.fetch(g) == "served" })
	}},
	{name: "hangs up", mode: "hang-up", state: active, fetch: died, after: "it closed its connection to the daemon"},
	{name: "a document of 1 GB", mode: "large:1000000000", state: active, fetch: "it is larger than 64 MiB", after: "its answer breaks the contract: it is larger than 64 MiB"},
	{name: "an error of 10 MB", mode: "long-error:10000000", state: active, fetch: "it failed over this batch", after: "it failed:"},
	{name: "an error that is no text", mode: "bad-text-error", state: active, fetch: "it failed over this batch", after: "bad [2J day"},
	{name: "error Unavailable", mode: "code:14", state: active, fetch: "it failed over this batch", after: "it failed: larger than max (1 vs. 1)"},
	{name: "error DeadlineExceeded", mode: "code:4", state: active, fetch: "it failed over this batch", after: "it failed: larger than max (1 vs. 1)"},
	{name: "error Canceled", mode: "code:1", state: active, fetch: "it failed over this batch", after: "it failed: larger than max (1 vs. 1)"},
	{name: "error of no known kind", mode: "code:4711", state: active, fetch: "it failed over this batch", after: "it failed: larger than max (1 vs. 1)"},
	{name: "neither document nor rejection", mode: "neither", state: active, fetch: "there is neither a document nor a rejected message in it", after: "its answer breaks the contract: there is neither"},
	{name: "document and rejection", mode: "reject:1", state: active, fetch: "I don't like it", after: "I don't like it"},
	{name: "rejects a message of another batch", mode: "reject:4711", state: active, fetch: "it rejected message 4711, which is not in the batch", after: "it rejected message 4711"},
	{name: "a reason that is no text", mode: "bad-text-reason", state: active, fetch: "it failed over this batch", after: "a text in it is not UTF-8"},
	{name: "no content type", mode: "no-type", state: active, fetch: "the document has no content type", after: "the document has no content type"},
	{name: "a content type of two lines", mode: "type-of-two-lines", state: active, fetch: "characters that a header can't carry", after: "characters that a header can't carry"},
	{name: "a content type that is no text", mode: "bad-text-type", state: active, fetch: "it failed over this batch", after: "a text in it is not UTF-8"},
	{name: "a file name with slashes", mode: "file-with-slash", state: active, fetch: "could not be the name of a file", after: "could not be the name of a file"},
	{name: "a file name that is no text", mode: "bad-text-file", state: active, fetch: "it failed over this batch", after: "a text in it is not UTF-8"},
}

// hostileLives format well, and do harm beside it.
var hostileLives = []hostileCase{
	{name: "noise before the handshake", start: "noise", state: active, fetch: "served"},
	{name: "floods stderr", mode: "flood-stderr", state: active, fetch: "served", also: floods},
	{name: "floods stdout", mode: "flood-stdout", state: active, fetch: "served", also: keepsServing},
	{name: "floods by printing", mode: "flood-print", state: active, fetch: "served", also: keepsServing},
	{name: "binary on stdout", mode: "binary", state: active, fetch: "served", also: keepsServing},
	{name: "long lines", mode: "long-lines", state: active, fetch: "served", also: keepsServing},
	{name: "malformed log lines", mode: "log-lines", state: active, fetch: "served", also: keepsServing},
	{name: "removes its socket", mode: "no-socket", state: active, fetch: "served", also: keepsServing},
	{name: "leaves litter", mode: "litter", state: active, fetch: "served"},
	{name: "is deaf", start: "deaf", state: active, fetch: "served"},
	{name: "is not serving", mode: "not-serving", state: active, fetch: "served"},
	{name: "closes the connection when it is old", mode: "goes-away:5000", state: active, fetch: "served", also: func(r *rig, file string) {
		r.eventually("the end of the connection is the end of the process", func() bool { return r.status(file).Restarts > 0 })
		r.eventually("it is served again", func() bool { return r.fetch(host.GroupName(file)) == "served" })
	}},
	{name: "leaks memory", mode: "leak:4000000", state: active, fetch: "served", also: keepsServing},
	{name: "stops while idle", state: active, fetch: "served", also: func(r *rig, file string) {
		pid := r.status(file).PID
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			r.Fatal(err)
		}
		r.eventually("it is stopped", func() bool {
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return strings.Contains(string(stat), ") T ")
		})
		if got := r.fetch(host.GroupName(file)); !strings.Contains(got, overdue) {
			r.Errorf("Fetch: %q", got)
		}
		r.eventually("it is served again", func() bool { return r.fetch(host.GroupName(file)) == "served" })
	}},
	{name: "a grandchild holds its pipes", start: "grandchild:300", mode: "exit:0", state: active, fetch: died, after: "it exited with status 0", also: func(r *rig, _ string) {
		// It has left its parent's group and session, which nothing but a
		// sandbox can keep together.
		killed := 0
		for _, part := range strings.Split(r.log.String(), `"@message":"grandchild `)[1:] {
			var pid int
			if _, err := fmt.Sscanf(part, "%d", &pid); err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed++
			}
		}
		if killed == 0 {
			r.Error("there was no grandchild: the test tests nothing")
		}
	}},
	{name: "claims a group of another", groups: []string{"good"}, state: active, words: `good is refused: it belongs to the plugin "good-plugin" (file "good")`, fetch: "served"},
	{name: "changes its groups", state: active, fetch: "served", put: func(r *rig, file string) {
		r.install(file, "", "discover-changes:"+filepath.Join(r.TempDir(), "starts"))
	}, also: func(r *rig, file string) {
		if err := syscall.Kill(r.status(file).PID, syscall.SIGKILL); err != nil {
			r.Fatal(err)
		}
		r.eventually("its group is not its own any more", func() bool {
			return strings.Contains(r.fetch(host.GroupName(file)), "does not declare the group")
		})
	}},
	{name: "is gone and back again and again", state: active, fetch: "served", also: func(r *rig, file string) {
		for range 3 {
			if err := os.Remove(filepath.Join(r.folder, file)); err != nil {
				r.Fatal(err)
			}
			r.install(file, "", "")
		}
		r.eventually("it is served in the end", func() bool { return r.fetch(host.GroupName(file)) == "served" })
	}},
}

// keepsServing checks that a plugin goes on in spite of what it does.
func keepsServing(r *rig, file string) {
	r.Helper()
	for range 3 {
		if got := r.fetch(host.GroupName(file)); got != "served" {
			r.Errorf("Fetch(%s): %s", file, got)
		}
	}
	if n := r.status(file).Restarts; n != 0 {
		r.Errorf("it was restarted %d times", n)
	}
}

// floods checks as well that the log says what it leaves out.
func floods(r *rig, file string) {
	r.Helper()
	keepsServing(r, file)
	r.eventually("the log says that lines are missing", func() bool {
		return strings.Contains(r.log.String(), "plugin logs too much, lines dropped")
	})
}
