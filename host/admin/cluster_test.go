package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/admin"
)

// together is a cluster that is as it is told to be.
type together struct {
	mu      sync.Mutex
	status  host.ClusterStatus
	err     error
	slow    bool // answers when nobody waits any more
	removed []string
}

func (c *together) set(change func(*together)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *together) Status(ctx context.Context) (host.ClusterStatus, error) {
	c.mu.Lock()
	s, err, slow := c.status, c.err, c.slow
	c.mu.Unlock()
	if slow {
		<-ctx.Done()
		s.NoAnswer, s.Streams = true, nil
	}
	return s, err
}

func (c *together) Remove(_ context.Context, node string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removed = append(c.removed, node)
	return c.err
}

func withCluster(c *together) func(*admin.Config) {
	return func(config *admin.Config) { config.Cluster = c }
}

// threeNodes are two that are up, and c.
func threeNodes() host.ClusterStatus {
	return host.ClusterStatus{
		Node: "a", Leader: "a", Size: 3, Durability: "always",
		Nodes: []host.ClusterNode{
			{Name: "a", Address: "10.0.0.1:7422", Up: true, Stored: 5 << 20},
			{Name: "b", Address: "10.0.0.2:7422", Up: true, Lag: 1234, Stored: 4 << 20},
			{Name: "c"},
		},
		Streams: []host.ClusterStream{
			{Name: "restante_m_late", Group: "late", Leader: "a", Followers: []host.ClusterFollower{{Node: "b", Up: true, Lag: 700}}},
			{Name: "restante_m_plain", Group: "plain", Leader: "b", Followers: []host.ClusterFollower{{Node: "a", Up: true, Current: true}}},
			{Name: "restante_m_push", Group: "push", Followers: []host.ClusterFollower{{Node: "b", Up: true, Current: true}}},
			{Name: "restante_t0", Leader: "a", Followers: []host.ClusterFollower{{Node: "b", Up: true, Current: true}, {Node: "c", Lag: 9}}},
			{Name: "restante_t1", Leader: "a", Followers: []host.ClusterFollower{{Node: "b", Up: true, Current: true}}},
		},
	}
}

var markup = regexp.MustCompile(`<[^>]*>`)

// words are what a page says, without its markup.
func words(a answer) string {
	return strings.Join(strings.Fields(markup.ReplaceAllString(a.body, " ")), " ")
}

// inOrder holds a page to say some things one after the other.
func inOrder(t *testing.T, text string, wants ...string) {
	t.Helper()
	rest := text
	for _, want := range wants {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("the page does not say %q at its place: %s", want, text)
		}
		rest = after
	}
}

func TestCluster(t *testing.T) {
	c := &together{status: threeNodes()}
	s := start(t, withCluster(c))
	v := s.visit(t, "viewer")
	inOrder(t, words(v.get("/admin/cluster")),
		"Cluster stands still", "Node c is down.", "Stream restante_m_push has no leader, and takes nothing.", "Node b catches up with stream restante_m_late.",
		"Nodes up 2 of 3", "Leader a", "Streams 5", "Without leader 1", "Copy missing or behind 2", "On disk before an answer yes",
		"a this daemon up leader no 3 5.0 MiB 10.0.0.1:7422", "b up 1,234 changes 1 4.0 MiB", "c down – – – –",
		"push restante_m_push no leader – b", "all queues restante_t0 copy missing a b, c down", "late restante_m_late catches up a b 700 behind",
		"all queues restante_t1 ok a b", "plain restante_m_plain ok b a")
	check(t, "the overview", v.get("/admin/"), http.StatusOK, `href="/admin/cluster">Cluster`, `banner bad">Node c is down. And 1 more to look at. <a href="/admin/cluster">`)
	if strings.Contains(v.get("/admin/cluster").body, "Remove…") || !strings.Contains(s.visit(t, "admin").get("/admin/cluster").body, `href="/admin/cluster/nodes/c/remove"`) {
		t.Error("removing is offered to a viewer, or not to an admin")
	}

	well := threeNodes()
	well.Nodes[2], well.Streams, well.Advice = host.ClusterNode{Name: "c", Up: true}, well.Streams[4:], "set sync_interval"
	c.set(func(c *together) { c.status = well })
	inOrder(t, words(v.get("/admin/cluster")), "Cluster look", "Set sync_interval.", "Nodes up 3 of 3")
	if page := v.get("/admin/").body; strings.Contains(page, "See the cluster") {
		t.Error("the overview complains of a cluster that is well")
	}
	theirs := host.ClusterStatus{Node: "nats-1", Durability: "unknown"}
	c.set(func(c *together) { c.status = theirs })
	inOrder(t, words(v.get("/admin/cluster")), "Cluster ok", "works with nats-1", "Streams 0", "before an answer unknown", "There is none yet.")
	c.set(func(c *together) { c.err = errSecret })
	check(t, "a cluster that fails", v.get("/admin/cluster"), http.StatusInternalServerError)
	check(t, "the overview", v.get("/admin/"), http.StatusOK, "How the cluster is could not be found out.")

	file := start(t).visit(t, "admin")
	for _, path := range []string{"/admin/cluster", "/admin/cluster/nodes/c/remove"} {
		check(t, "a file's "+path, file.get(path), http.StatusNotFound, "The store is a file of this daemon alone.")
	}
	check(t, "a file's removal", file.post("/admin/cluster/nodes/c/remove", nil), http.StatusNotFound)
	if strings.Contains(file.get("/admin/").body, "/admin/cluster") {
		t.Error("the navigation leads to a cluster that there is not")
	}
}

// TestManyStreams has more of them than fit on a page.
func TestManyStreams(t *testing.T) {
	status := threeNodes()
	status.Streams = nil
	for i := range 120 {
		stream := host.ClusterStream{Name: fmt.Sprintf("s%03d", i), Group: host.GroupName(fmt.Sprintf("g%03d", i)), Leader: "a"}
		if i == 110 {
			stream.Leader = ""
		}
		status.Streams = append(status.Streams, stream)
	}
	v := start(t, withCluster(&together{status: status})).visit(t, "viewer")
	first := words(v.get("/admin/cluster"))
	inOrder(t, first, "g110 s110 no leader", "g000", "g048", "1–50 of 120", "After")
	if strings.Contains(first, "g049") {
		t.Error("the first page has too many streams")
	}
	inOrder(t, words(v.get("/admin/cluster?from=100")), "g099", "g119", "101–120 of 120", "Before")
	inOrder(t, words(v.get("/admin/cluster?from=1000")), "There are no more.")
}

func TestRemoveNode(t *testing.T) {
	c := &together{status: threeNodes()}
	s := start(t, withCluster(c))
	v := s.visit(t, "admin")
	const path = "/admin/cluster/nodes/c/remove"
	check(t, "the question", v.get(path), http.StatusOK, "Remove node c for good?", `action="`+path+`"`)
	for _, node := range []string{"a", "b"} {
		check(t, "removal of a node that is up", v.post("/admin/cluster/nodes/"+node+"/remove", nil), http.StatusBadRequest, "Node "+node+" runs")
	}
	if len(s.audited(t)) > 0 || c.removed != nil {
		t.Errorf("a refused removal is audited, or done: %q", c.removed)
	}
	a := v.post(path, nil)
	if a.status != http.StatusSeeOther || a.location() != "/admin/cluster" || fmt.Sprint(c.removed) != "[c]" || s.audited(t)[0] != "node removed" {
		t.Errorf("removal = %d to %q, removed %q, audited %q", a.status, a.location(), c.removed, s.audited(t)[0])
	}
	check(t, "the page after it", v.get("/admin/cluster"), http.StatusOK, "Node c was removed.")
	removing := &remover{together: c}
	s = start(t, func(c *admin.Config) { c.Cluster = removing })
	v = s.visit(t, "admin")
	for want, err := range map[string]error{"The node runs: stop it first.": errors.New("the node runs: stop it first"), "too long": context.DeadlineExceeded} {
		removing.err = err
		if a := v.post(path, nil); !strings.Contains(a.body, want) || s.audited(t)[0] != "node removed: not done" {
			t.Errorf("removal that fails with %v = %d: %s", err, a.status, a.body)
		}
	}
	c.set(func(c *together) { c.status.Leader = "" })
	check(t, "removal without a leader", v.post(path, nil), http.StatusBadRequest, "No node leads")
}

// remover is a cluster that removes nothing.
type remover struct {
	*together
	err error
}

func (r *remover) Remove(context.Context, string) error { return r.err }

// TestClusterOutage has a store that can't be read, as most of its nodes are down.
func TestClusterOutage(t *testing.T) {
	c := &together{status: threeNodes()}
	s := start(t, withCluster(c))
	v, other := s.visit(t, "admin"), s.visit(t, "viewer")
	check(t, "before", v.get("/admin/"), http.StatusOK)
	unavailable := fmt.Errorf("%w: no leader", host.ErrUnavailable)
	s.store.records.Store(&unavailable)
	lost := threeNodes()
	lost.Leader, lost.Streams, lost.NoAnswer, lost.Nodes[1].Up = "", nil, true, false
	c.set(func(c *together) { c.status = lost })
	page := v.get("/admin/cluster")
	check(t, "the page", page, http.StatusOK)
	inOrder(t, words(page), "stands still", "Most nodes are not reachable, only 1 of 3", "Node b is down.", "Nodes up 1 of 3", "Leader none", "Streams unknown", "can't be asked now")
	if strings.Contains(page.body, "Remove…") {
		t.Error("a node can be removed without a leader")
	}
	check(t, "the overview", v.get("/admin/"), http.StatusServiceUnavailable, `href="/admin/cluster"`)
	check(t, "somebody who was not here lately", other.get("/admin/cluster"), http.StatusServiceUnavailable)
	check(t, "a removal", v.post("/admin/cluster/nodes/c/remove", nil), http.StatusServiceUnavailable)
	s.store.records.Store(nil)

	// Who is signed out elsewhere is forgotten, as soon as that can be read.
	if err := s.users.SignOutEverywhere(t.Context(), "admin"); err != nil {
		t.Fatal(err)
	}
	check(t, "signed out", v.get("/admin/cluster"), http.StatusSeeOther)
	s.store.records.Store(&unavailable)
	check(t, "signed out, in an outage", v.get("/admin/cluster"), http.StatusServiceUnavailable)
	s.store.records.Store(nil)

	// A cluster that gives no answer keeps nobody waiting for long.
	c.set(func(c *together) { c.slow = true })
	began := time.Now()
	check(t, "the overview", other.get("/admin/"), http.StatusOK, "Most nodes are not reachable")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the overview took %s", took)
	}
}
