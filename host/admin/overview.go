package admin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/restante/restante/host"
)

// overviewPage shows at a glance whether all is well.
type overviewPage struct {
	frame
	Queues  []queueLine
	Plugins []host.PluginStatus
	// Reports are the newest that nobody has seen; frame.Errors counts them all.
	Reports []host.ErrorReport
	// Cluster says what is wrong with the servers of a shared store.
	Cluster clusterLine
	// Unread and so on are the sums over all queues.
	Unread, Held, Added, Delivered uint64
}

// queueLine is one queue.
type queueLine struct {
	host.Queue
	host.Counts
	// Oldest is when the oldest unread message was added; zero if there is none.
	Oldest   time.Time
	Activity host.Activity
	// Sending is how sending is; nil for a queue that is not sent.
	Sending *host.SendStatus
	// Added and Delivered are messages of the last day.
	Added, Delivered uint64
	// Tone is ok, warn or bad; State says why in a few words.
	Tone, State string
}

// overviewReports is how many reports the overview has.
const overviewReports = 10

// overviewTime is how long the overview waits for a shared store. It leads to the page
// of the cluster then.
const overviewTime = 5 * time.Second

// MoreReports is how many reports the overview leaves out.
func (p overviewPage) MoreReports() int { return p.Errors - len(p.Reports) }

// overview answers GET /admin/.
func (a *Admin) overview(v *visit) error {
	p := overviewPage{Plugins: a.Plugins.List()}
	if a.Cluster != nil {
		ctx, cancel := context.WithTimeout(v.ctx(), overviewTime)
		defer cancel()
		v.r = v.r.WithContext(ctx)
	}
	cluster := a.lookAtCluster(v.ctx())
	defer cluster()
	open, err := v.open()
	if err != nil {
		return err
	}
	for _, r := range open {
		if r.Unacknowledged() && len(p.Reports) < overviewReports {
			p.Reports = append(p.Reports, r)
		}
	}
	for _, q := range a.Exchange.Queues.All() {
		line, err := a.line(v, q, p.Plugins, open)
		if err != nil {
			return err
		}
		p.Unread += line.Unread
		p.Held += line.Held
		p.Added += line.Added
		p.Delivered += line.Delivered
		p.Queues = append(p.Queues, line)
	}
	p.Cluster = cluster()
	v.frame(&p.frame, "Overview", "overview")
	return v.show("overview", p)
}

// line finds out how a queue is.
func (a *Admin) line(v *visit, q host.Queue, plugins []host.PluginStatus, open []host.ErrorReport) (queueLine, error) {
	line := queueLine{Queue: q, Activity: a.Activities.Activity(q.Group), Tone: "ok", State: "ok"}
	var err error
	if line.Counts, err = a.Exchange.Store.Counts(v.ctx(), q.Group); err != nil {
		return line, err
	}
	if line.Unread > 0 {
		oldest, err := a.Exchange.Store.Unread(v.ctx(), q.Group, 1, 1)
		if err != nil {
			return line, err
		}
		if len(oldest) > 0 {
			line.Oldest = oldest[0].Time
		}
	}
	line.Added, line.Delivered = lastDay(line.Activity)
	if line.Sends() {
		switch s, err := a.Sender.Status(v.ctx(), q.Group); {
		case err == nil:
			line.Sending = &s
		case !errors.Is(err, host.ErrNotSending): // it was declared just now
			return line, err
		}
	}
	switch {
	case slices.ContainsFunc(open, func(r host.ErrorReport) bool {
		return r.Group == q.Group && r.Kind == host.ErrorBlocked && r.Ended.IsZero()
	}):
		line.Tone, line.State = "bad", "blocked"
	case q.Plugin != "" && !served(q, plugins):
		line.Tone, line.State = "bad", "no plugin"
	case line.Sending != nil && line.Sending.State != host.SendIdle && line.Sending.State != host.SendSending:
		line.Tone, line.State = sendTone(line.Sending.State), string(line.Sending.State)
	case slices.ContainsFunc(open, func(r host.ErrorReport) bool {
		return r.Group == q.Group && r.Ended.IsZero() && (r.Lasting || r.Unacknowledged())
	}):
		line.Tone, line.State = "warn", "look"
	case line.Activity.Failed.After(line.Activity.Fetched) && !line.Activity.Failed.IsZero():
		line.Tone, line.State = "warn", "failed"
	case line.Held > 0:
		line.Tone, line.State = "warn", "held"
	}
	return line, nil
}

// Sends tells whether the messages are sent, and not fetched.
func (l queueLine) Sends() bool { return l.Method == host.Send }

// Called is when messages were last asked for or, if they are sent, when that was
// last tried.
func (l queueLine) Called() time.Time {
	switch {
	case !l.Sends():
		return l.Activity.Asked
	case l.Sending != nil && len(l.Sending.Last) > 0:
		return l.Sending.Last[0].Time
	}
	return time.Time{}
}

// served tells whether a queue's plugin runs and has the group.
func served(q host.Queue, plugins []host.PluginStatus) bool {
	return slices.ContainsFunc(plugins, func(p host.PluginStatus) bool {
		return p.Name == q.Plugin && p.PID != 0 && slices.Contains(p.Groups, q.Group)
	})
}
