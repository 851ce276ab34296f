package admin

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/restante/restante/host"
)

// searchPage shows how far a search is, and what it has found.
type searchPage struct {
	queueFrame
	messageTable
	Job  jobView
	Text string
	// Next is where a search goes on that has found as much as a page shows; 0 if
	// nothing is left.
	Next host.ID
}

// Found is how many messages are shown.
func (p searchPage) Found() uint64 { return uint64(len(p.Messages)) }

// found is the outcome of a search.
type found struct {
	text string
	ids  []host.ID
	next host.ID
}

// mostFound is how many messages a search shows.
const mostFound = 100

// search answers POST /admin/queues/{group}/search.
func (a *Admin) search(v *visit) error {
	q, err := v.group()
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	text := v.r.PostForm.Get("text")
	if len(text) < 2 || len(text) > 500 {
		return badf("Write from 2 to 500 characters to look for.")
	}
	to, err := strconv.ParseUint(cmp.Or(v.r.PostForm.Get("to"), "0"), 10, 63)
	if err != nil {
		return badf("%q is no id to go on from.", v.r.PostForm.Get("to"))
	}
	if err := v.audit("messages searched", q.Group, "", text); err != nil {
		return err
	}
	one, err := a.jobs.begin(v.ctx(), q.Group, "Search for “"+text+"”", v.user.Name, func(ctx context.Context, progress func(uint64, uint64)) (any, error) {
		ids, next, err := a.Exchange.Search(ctx, q.Group, host.Query{Text: text, To: host.ID(to), Limit: mostFound}, progress)
		return found{text, ids, next}, err
	})
	if err != nil {
		return err
	}
	one.settled(v.ctx(), 500*time.Millisecond) // most are quick, and need no second page
	return v.redirect("/admin/jobs/"+url.PathEscape(one.look().ID), "")
}

// job answers GET /admin/jobs/{id}.
func (a *Admin) job(v *visit) error {
	one, err := a.jobs.find(v.r.PathValue("id"), v.user.Name)
	if err != nil {
		return err
	}
	p := searchPage{Job: one.look()}
	v.r.SetPathValue("group", string(p.Job.Group))
	if err := v.queueFrame(&p.queueFrame, "messages"); err != nil {
		return err
	}
	p.Title = p.Job.Title
	if p.Job.Ended.IsZero() {
		p.Refresh = 1
		return v.show("search", p)
	}
	if p.Job.Err != nil && !p.Job.Stopped {
		return p.Job.Err
	}
	outcome, _ := p.Job.Outcome.(found)
	p.Next, p.Text = outcome.next, outcome.text
	for _, id := range outcome.ids {
		m, err := a.Exchange.Store.Message(v.ctx(), p.Job.Group, id)
		if err != nil {
			continue // pruned meanwhile
		}
		line := lineOf(m)
		a.dateMark(v, p.Job.Group, &line)
		p.Messages = append(p.Messages, line)
	}
	return v.show("search", p)
}

// stopJob answers POST /admin/jobs/{id}/stop.
func (a *Admin) stopJob(v *visit) error {
	one, err := a.jobs.find(v.r.PathValue("id"), v.user.Name)
	if err != nil {
		return err
	}
	one.stop()
	one.settled(v.ctx(), time.Second)
	return v.redirect("/admin/jobs/"+url.PathEscape(one.look().ID), "Stopped.")
}
