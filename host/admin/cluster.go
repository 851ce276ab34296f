package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/restante/restante/host"
)

// clusterPattern is the page that is there while the store can't be read.
const clusterPattern = "GET /admin/cluster"

const (
	// clusterTime is how long the page waits for the servers, and clusterLineTime
	// how long the overview does.
	clusterTime     = 3 * time.Second
	clusterLineTime = time.Second
	// removeTime is how long the cluster may take to remove a node.
	removeTime = 10 * time.Second
	// streamsLength is how many streams a page lists.
	streamsLength = 50
)

// clusterPage shows the servers that keep a shared store.
type clusterPage struct {
	frame
	host.ClusterStatus
	// Tone and State say how it is in a word.
	Tone, State string
	Up          int
	// Leading is how many streams a node leads.
	Leading map[string]int
	// Leaderless and Behind count the streams without a leader, and with a copy that
	// is behind or missing.
	Leaderless, Behind int
	// Listed are the streams of this page, of All.
	Listed []streamLine
	All    int
	// From and To number them; Before and After are where to go on, if anywhere.
	From, To      int
	Before, After string
	// Removable says that nodes which are down can be removed.
	Removable bool
}

// streamLine is one stream.
type streamLine struct {
	host.ClusterStream
	Tone, State string
}

// cluster answers GET /admin/cluster.
func (a *Admin) cluster(v *visit) error {
	from, err := v.number("from")
	if err != nil {
		return err
	}
	status, err := a.clusterStatus(v.ctx(), clusterTime)
	if err != nil {
		return err
	}
	p := clusterPage{ClusterStatus: status, Leading: map[string]int{}, All: len(status.Streams)}
	v.cut = v.cut || status.NoAnswer // nor would the error inbox answer
	v.frame(&p.frame, "Cluster", "cluster")
	for _, n := range status.Nodes {
		if n.Up {
			p.Up++
		}
	}
	lines := make([]streamLine, len(status.Streams))
	for i, stream := range status.Streams {
		lines[i] = newStreamLine(status, stream)
		p.Leading[stream.Leader]++
		switch lines[i].Tone {
		case "bad":
			p.Leaderless++
		case "warn":
			p.Behind++
		}
	}
	// What needs attention comes first, and then what all queues need.
	rank := map[string]int{"bad": 0, "warn": 1, "ok": 2}
	slices.SortStableFunc(lines, func(a, b streamLine) int {
		return cmp.Or(rank[a.Tone]-rank[b.Tone], cmp.Compare(min(len(a.Group), 1), min(len(b.Group), 1)))
	})
	p.page(lines, from)
	switch wrong := status.Wrong(); {
	case status.Stuck():
		p.Tone, p.State = "bad", "stands still"
	case len(wrong) > 0:
		p.Tone, p.State = "warn", "look"
	default:
		p.Tone, p.State = "ok", "ok"
	}
	p.Removable = !v.cut && status.Leader != "" && p.May(string(host.Admin))
	return v.show("cluster", p)
}

// page has the page show the streams from one on.
func (p *clusterPage) page(lines []streamLine, from uint64) {
	first := int(min(from, uint64(len(lines))))
	last := min(first+streamsLength, len(lines))
	p.Listed, p.From, p.To = lines[first:last], first+1, last
	if first > 0 {
		p.Before = "?from=" + strconv.Itoa(max(0, first-streamsLength))
	}
	if last < len(lines) {
		p.After = "?from=" + strconv.Itoa(last)
	}
}

func newStreamLine(s host.ClusterStatus, stream host.ClusterStream) streamLine {
	line := streamLine{ClusterStream: stream, Tone: "ok", State: "ok"}
	switch {
	case stream.Leader == "" && s.Led():
		line.Tone, line.State = "bad", "no leader"
	case stream.Missing > 0, slices.ContainsFunc(stream.Followers, func(f host.ClusterFollower) bool { return !f.Up }):
		line.Tone, line.State = "warn", "copy missing"
	case slices.ContainsFunc(stream.Followers, host.ClusterFollower.Behind):
		line.Tone, line.State = "warn", "catches up"
	}
	return line
}

// clusterStatus asks how the servers are, within a time.
func (a *Admin) clusterStatus(ctx context.Context, most time.Duration) (host.ClusterStatus, error) {
	if a.Cluster == nil {
		return host.ClusterStatus{}, host.ErrNoCluster
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return a.Cluster.Status(ctx)
}

// clusterLine is what the overview says of the servers; empty if all is well.
type clusterLine struct{ Tone, Text string }

// lookAtCluster begins to find out what is wrong with the servers. What it returns
// waits for it, and must be called.
func (a *Admin) lookAtCluster(ctx context.Context) (wait func() clusterLine) {
	var line clusterLine
	done := make(chan struct{})
	go func() {
		defer close(done)
		if a.Cluster == nil {
			return
		}
		status, err := a.clusterStatus(ctx, clusterLineTime)
		if err != nil {
			a.Log.Warn("cluster not looked at", "error", err)
			line = clusterLine{"warn", "How the cluster is could not be found out."}
			return
		}
		trouble := status.Trouble()
		if len(trouble) == 0 {
			return
		}
		line = clusterLine{"warn", sentence(trouble[0])}
		if more := len(trouble) - 1; more > 0 {
			line.Text += fmt.Sprintf(" And %d more to look at.", more)
		}
		if status.Stuck() {
			line.Tone = "bad"
		}
	}()
	return func() clusterLine { <-done; return line }
}

// leftNode returns the name of the node that is asked for, which must be down.
func (a *Admin) leftNode(v *visit) (string, error) {
	status, err := a.clusterStatus(v.ctx(), clusterTime)
	if err != nil {
		return "", err
	}
	name := v.r.PathValue("node")
	switch i := slices.IndexFunc(status.Nodes, func(n host.ClusterNode) bool { return n.Name == name }); {
	case i < 0:
		return "", errNotFound
	case status.Nodes[i].Up:
		return "", badf("Node %s runs, and would join again. Stop its daemon first.", name)
	case status.Leader == "":
		return "", badf("No node leads, so none can be removed: most of the nodes must be up first.")
	}
	return name, nil
}

// confirmRemoveNode answers GET /admin/cluster/nodes/{node}/remove.
func (a *Admin) confirmRemoveNode(v *visit) error {
	name, err := a.leftNode(v)
	if err != nil {
		return err
	}
	p := confirmPage{
		Question: fmt.Sprintf("Remove node %s for good?", name),
		Text: "Only if nothing takes its place: a daemon with its configuration and an empty data folder catches up by itself. " +
			"Once removed it does not count when most of the nodes have to be up, and what it had is copied to other nodes, as far as there are enough.",
		Action: v.r.URL.EscapedPath(), Button: "Remove", Back: "/admin/cluster", Danger: true,
	}
	v.frame(&p.frame, p.Question, "cluster")
	return v.show("confirm", p)
}

// removeNode answers POST /admin/cluster/nodes/{node}/remove.
func (a *Admin) removeNode(v *visit) error {
	name, err := a.leftNode(v)
	if err != nil {
		return err
	}
	err = v.audited("node removed", "", name, func() error {
		ctx, cancel := context.WithTimeout(v.ctx(), removeTime)
		defer cancel()
		err := a.Cluster.Remove(ctx, name)
		if err == nil || errors.Is(err, host.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return badf("%s", sentence(err.Error()))
	})
	if err != nil {
		return err
	}
	return v.redirect("/admin/cluster", "Node "+name+" was removed.")
}

// RemovePath is the page that asks whether a node is to be removed.
func (clusterPage) RemovePath(node string) string {
	return "/admin/cluster/nodes/" + url.PathEscape(node) + "/remove"
}
