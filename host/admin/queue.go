package admin

import (
	"cmp"
	"math"
	"slices"
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
	open, err := v.open()
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
	if p.Messages, err = a.listMessages(v, p.Group, p.Filter, host.ID(before)); err != nil {
		return err
	}
	more := len(p.Messages) > pageLength
	if more {
		p.Messages = p.Messages[:pageLength]
	}
	for i := range p.Messages {
		a.dateMark(v, p.Group, &p.Messages[i])
	}
	if more {
		query.Set("before", strconv.FormatUint(uint64(p.Messages[pageLength-1].ID), 10))
		p.Older = "?" + query.Encode()
	}
	if before > 0 {
		query.Del("before")
		p.Newer = "?" + query.Encode()
	}
	return v.show("queue", p)
}

// listMessages returns the messages of a page, newest first, and one more if there
// are more.
func (a *Admin) listMessages(v *visit, g host.GroupName, f filter, before host.ID) ([]messageLine, error) {
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
		return nil, badf("%q is no status. Use unread, read or held.", short(f.Status, 50))
	}
	ids := rangeOf(1, math.MaxInt64)
	if f.ID != "" {
		var err error
		if ids, err = host.ParseRanges(f.ID); err != nil {
			return nil, badf("%s.", short(err.Error(), 200))
		}
	}
	if f.Key != "" {
		added, err := a.Exchange.Store.Added(v.ctx(), g, f.Key)
		if err != nil {
			return nil, err
		}
		ids = host.Intersect(ids, added)
	}
	if f.Since != "" {
		at, err := parseTime(f.Since)
		if err != nil {
			return nil, err
		}
		first, err := a.Exchange.Store.At(v.ctx(), g, at)
		if err != nil || first == 0 {
			return nil, err
		}
		ids = host.Intersect(ids, rangeOf(first, math.MaxInt64))
	}
	if before != 0 {
		ids = host.Intersect(ids, rangeOf(1, before-1))
	}
	return a.list(v, g, ids, only)
}

func rangeOf(first, last host.ID) (one host.Ranges) {
	if first <= last {
		one.Add(host.Range{First: first, Last: last})
	}
	return one
}

// list returns the newest of the messages in ids, newest first, without their
// data. It asks the store for what is left, however many ranges there are.
func (a *Admin) list(v *visit, g host.GroupName, ids host.Ranges, only []host.Status) (all []messageLine, err error) {
	ranges := slices.Collect(ids.All())
	for len(ranges) > 0 && len(all) <= pageLength {
		r := &ranges[len(ranges)-1]
		want := min(uint64(pageLength+1-len(all)), uint64(r.Last-r.First)+1)
		// Large messages come a few at a time.
		some, err := a.Exchange.Store.List(v.ctx(), g, r.Last+1, int(want), only...)
		if err != nil || len(some) == 0 {
			return all, err
		}
		for _, m := range some {
			if m.ID >= r.First {
				all = append(all, lineOf(m))
			}
		}
		// What is above the last one is done with. If that is not within the range,
		// it is to be found in another.
		oldest := some[len(some)-1].ID
		if oldest > r.First {
			r.Last = oldest - 1
			continue
		}
		ranges = ranges[:len(ranges)-1]
		for oldest < r.First && len(ranges) > 0 && ranges[len(ranges)-1].First > some[0].ID {
			ranges = ranges[:len(ranges)-1]
		}
	}
	return all, nil
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

// lineOf returns the line of a message.
func lineOf(m host.Listed) messageLine {
	line := messageLine{Listed: m, Size: len(m.Data)}
	line.Data = nil
	line.ByHand, _ = host.AddedByHand(m.Key)
	return line
}

// dateMark finds out when a message was marked.
func (a *Admin) dateMark(v *visit, g host.GroupName, line *messageLine) {
	if line.Status != host.Read {
		return
	}
	carried, err := a.Exchange.Deliveries.Carrying(v.ctx(), g, line.ID, 10)
	if err != nil {
		a.Log.Warn("deliveries of a message not read", "group", string(g), "id", line.ID, "error", err)
	}
	for _, d := range carried {
		if d.Marked.After(line.Marked) {
			line.Marked = d.Marked
		}
	}
}
