package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newNodes makes three daemons that keep a store together, and starts them.
func newNodes(t *testing.T, more string) (all []*daemon) {
	t.Helper()
	var routes []string
	for range 3 {
		routes = append(routes, freeAddress(t))
	}
	for i, name := range []string{"a", "b", "c"} {
		d := newDaemon(t)
		config := fmt.Sprintf("store \"cluster\" {\n  node = %q\n  listen = %q\n  peers = [%q, %q, %q]\n  secret = \"a secret of these nodes alone\"\n}\n%s",
			name, routes[i], routes[0], routes[1], routes[2], more)
		if err := os.WriteFile(d.config, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// TestPagesOfCluster has nodes killed, one by one, and one of them removed.
func TestPagesOfCluster(t *testing.T) {
	nodes := newNodes(t, "queue \"plain\" {}\nqueue \"second\" {}\n")
	nodes[0].startOnly() // for the first start all must be there
	nodes[1].startOnly()
	nodes[2].start()
	d := nodes[0]
	for _, d := range nodes[:2] {
		eventually(t, "all are ready", func() error { return ready(d) })
	}
	must(t, "1\n", "add", "plain", "--data", d.data)
	must(t, "1\n", "add", "second", "--data", nodes[1].data)
	b := newBrowser(t, "http://"+d.address)
	b.open(invitation.FindString(must(t, "", "users", "invite", "admin", "--role", "admin", "--data", d.data)))
	b.choosePassword()

	says := func(path string, all ...string) {
		t.Helper()
		eventually(t, path+" says it", func() error {
			b.open(path)
			for _, want := range all {
				if got := b.text("#main"); !strings.Contains(got, want) {
					return fmt.Errorf("no %q on the page:\n%s", want, got)
				}
			}
			return nil
		})
	}
	const path = "/admin/cluster"
	says(path, "3 of 3", "plain", "second", "127.")
	b.look("cluster")

	nodes[2].stop(syscall.SIGKILL)
	says("/admin/", "Node c is down.")
	b.look("cluster-overview")
	b.press("See the cluster")
	b.says("Node c is down.")
	b.says("copy missing")
	says(path, "2 of 3")
	b.look("cluster-one-down")
	b.press("Remove…")
	b.says("Remove node c for good?")
	b.look("cluster-remove")

	nodes[1].stop(syscall.SIGKILL)
	says(path, "Most nodes are not reachable, only 1 of 3", "Node b is down.", "How the streams are can't be asked now.")
	b.look("cluster-two-down")
	began := time.Now()
	b.open("/admin/")
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the overview failed after %s", took)
	}
	b.look("cluster-unreachable")
	b.press("See how the cluster is")

	nodes[1].start()
	says(path, "2 of 3", "Node c is down.")
	eventually(t, "c is removed", func() error {
		b.open(path + "/nodes/c/remove")
		if !strings.Contains(b.text("#main"), "for good?") {
			return fmt.Errorf("the page says %s", b.text("#main"))
		}
		b.press("Remove")
		if !strings.Contains(b.text("#main"), "Node c was removed.") {
			return fmt.Errorf("the page says %s", b.text("#main"))
		}
		return nil
	})
	says(path, "2 of 2")
	b.look("cluster-removed")
	b.open("/admin/audit")
	b.says("node removed")
	b.quiet()
}
