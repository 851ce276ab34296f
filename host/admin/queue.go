package admin

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// pageLength is how many messages, deliveries or entries one page lists.
const pageLength = 25

// queueFrame is what all pages of a queue have.
type queueFrame struct {
	frame
	queueLine
	// Tab is the part of the queue that is shown.
	Tab string
	// Reports are what is wrong with it.
	Reports []host.ErrorReport
}

// queueFrame fills in what all pages of a queue have.
func (v *visit) queueFrame(f *queueFrame, tab string) error {
	q, err := v.group()
	if err != nil {
		return err
	}
	v.frame(&f.frame, cmp.Or(q.Title, string(q.Group)), "overview")
	open, err := v.a.Inbox.Open(v.ctx())
	if err != nil {
		return err
	}
	f.Tab = tab
	for _, r := range open {
		if r.Group == q.Group && r.Unacknowledged() {
			f.Reports = append(f.Reports, r)
		}
	}
	f.queueLine, err = v.a.line(v, q, v.a.Plugins.List(), open)
	return err
}

// queuePage lists messages.
type queuePage struct {
	queueFrame
	messageTable
	Filter filter
	// Newer and Older are the queries of the pages before and after; empty if
	// there is none.
	Newer, Older string
	Filtered     bool
}

// filter is what is asked for. All of it may be empty.
type filter struct {
	Status string
	// ID is an id or ranges, Key an idempotency key, Since a time.
	ID, Key, Since string
}

// messageTable is a list of messages that can be selected.
type messageTable struct {
	Messages []messageLine
}

// messageLine is one message, without what is in it.
type messageLine struct {
	host.Listed
	Size int
	// ByHand is who added it by hand, or empty.
	ByHand string
	// Marked is when it was marked, as far as that is known.
	Marked time.Time
}

// Statuses are what can be asked for.
func (queuePage) Statuses() []string { return []string{"unread", "read", "held"} }

// queue answers GET /admin/queues/{group}.
func (a *Admin) queue(v *visit) error {
	var p queuePage
	if err := v.queueFrame(&p.queueFrame, "messages"); err != nil {
		return err
	}
	query := v.r.URL.Query()
	p.Filter = filter{query.Get("status"), strings.TrimSpace(query.Get("id")), query.Get("key"), query.Get("since")}
	p.Filtered = p.Filter != filter{}
	before, err := v.number("before")
	if err != nil {
		return err
	}
	listed, more, err := a.listMessages(v, p.Group, p.Filter, host.ID(before))
	if err != nil {
		return err
	}
	for _, m := range listed {
		p.Messages = append(p.Messages, a.messageLine(v, p.Group, m))
	}
	if more {
		query.Set("before", strconv.FormatUint(uint64(listed[len(listed)-1].ID), 10))
		p.Older = "?" + query.Encode()
	}
	if before > 0 {
		query.Del("before")
		p.Newer = "?" + query.Encode()
	}
	return v.show("queue", p)
}

// listMessages returns a page of messages, and whether there are more.
func (a *Admin) listMessages(v *visit, g host.GroupName, f filter, before host.ID) (listed []host.Listed, more bool, err error) {
	var only []host.Status
	switch f.Status {
	case "":
	case "unread":
		only = append(only, host.Unread)
	case "read":
		only = append(only, host.Read)
	case "held":
		only = append(only, host.Held)
	default:
		return nil, false, badf("%q is no status. Use unread, read or held.", f.Status)
	}
	if f.ID != "" || f.Key != "" {
		return a.pickMessages(v, g, f, before, only)
	}
	if f.Since != "" {
		return a.messagesSince(v, g, f.Since, before, only)
	}
	listed, err = a.list(v, g, before, only)
	return cutPage(listed, err)
}

// list returns a message more than a page has, if there is one.
func (a *Admin) list(v *visit, g host.GroupName, before host.ID, only []host.Status) (listed []host.Listed, err error) {
	for len(listed) <= pageLength {
		// Large messages come a few at a time.
		some, err := a.Exchange.Store.List(v.ctx(), g, before, pageLength+1-len(listed), only...)
		if err != nil || len(some) == 0 {
			return listed, err
		}
		listed = append(listed, some...)
		before = some[len(some)-1].ID
	}
	return listed, nil
}

func cutPage(listed []host.Listed, err error) ([]host.Listed, bool, error) {
	if more := len(listed) > pageLength; more {
		return listed[:pageLength], true, err
	}
	return listed, false, err
}

// pickMessages lists messages by their ids or by their key.
func (a *Admin) pickMessages(v *visit, g host.GroupName, f filter, before host.ID, only []host.Status) (listed []host.Listed, more bool, err error) {
	var ids host.Ranges
	if f.ID != "" {
		if ids, err = host.ParseRanges(f.ID); err != nil {
			return nil, false, badf("%s.", err)
		}
	}
	if f.Key != "" {
		added, err := a.Exchange.Store.Added(v.ctx(), g, f.Key)
		if err != nil {
			return nil, false, err
		}
		if f.ID != "" {
			added = host.Intersect(ids, added)
		}
		ids = added
	}
	// Newest first within the ids: each range is asked for on its own.
	for _, r := range descending(ids) {
		from := r.Last + 1
		if before != 0 {
			from = min(from, before)
		}
		for from > r.First {
			page, err := a.Exchange.Store.List(v.ctx(), g, from, pageLength+1, only...)
			if err != nil {
				return nil, false, err
			}
			if len(page) == 0 {
				break
			}
			for _, m := range page {
				if from = m.ID; m.ID < r.First {
					break
				}
				if listed = append(listed, m); len(listed) > pageLength {
					return listed[:pageLength], true, nil
				}
			}
		}
	}
	return listed, false, nil
}

func descending(ids host.Ranges) []host.Range {
	var all []host.Range
	for r := range ids.All() {
		all = append([]host.Range{r}, all...)
	}
	return all
}

// messagesSince lists messages that were added at a time or later, the earliest
// page first in time but newest first within.
func (a *Admin) messagesSince(v *visit, g host.GroupName, since string, before host.ID, only []host.Status) ([]host.Listed, bool, error) {
	at, err := parseTime(since)
	if err != nil {
		return nil, false, err
	}
	first, err := a.Exchange.Store.At(v.ctx(), g, at)
	if err != nil || first == 0 {
		return nil, false, err
	}
	listed, err := a.list(v, g, before, only)
	if err != nil {
		return nil, false, err
	}
	for i, m := range listed {
		if m.ID < first {
			listed = listed[:i]
			break
		}
	}
	return cutPage(listed, nil)
}

// parseTime reads a time as people and browsers write it, in UTC.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, badf("%q is not a time such as 2026-01-31 09:30, in UTC.", text)
}

func (a *Admin) messageLine(v *visit, g host.GroupName, m host.Listed) messageLine {
	line := messageLine{Listed: m, Size: len(m.Data)}
	line.ByHand, _ = host.AddedByHand(m.Key)
	if m.Status == host.Read {
		carried, err := a.Exchange.Deliveries.Carrying(v.ctx(), g, m.ID, 10)
		if err != nil {
			a.Log.Warn("deliveries of a message not read", "group", string(g), "id", m.ID, "error", err)
		}
		for _, d := range carried {
			if d.Marked.After(line.Marked) {
				line.Marked = d.Marked
			}
		}
	}
	return line
}
