package admin

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/restante/restante/host"
)

// moveForm is what is to be done with which messages.
type moveForm struct {
	Action string // unread, hold or release
	IDs    host.Ranges
}

func readMove(values url.Values) (moveForm, error) {
	f := moveForm{Action: values.Get("action")}
	switch f.Action {
	case "unread", "hold", "release":
	default:
		return f, badf("Choose what to do with the messages.")
	}
	text := append([]string(nil), values["id"]...)
	if ranges := strings.TrimSpace(values.Get("ids")); ranges != "" {
		text = append(text, ranges)
	}
	if len(text) == 0 {
		return f, badf("No message is selected. Tick some, or write their ids, such as 1-16,20.")
	}
	var err error
	if f.IDs, err = host.ParseRanges(strings.Join(text, ",")); err != nil {
		return f, badf("%s.", err)
	}
	return f, nil
}

// movePage asks whether messages are really to be moved.
type movePage struct {
	queueFrame
	Action, IDs string
	// Now is how many of them have which status, and Changed how many will get
	// another one.
	Now     host.Counts
	Changed uint64
	Back    string
}

// changed is how many messages an action changes.
func changed(action string, now host.Counts) uint64 {
	switch action {
	case "unread":
		return now.Read + now.Held
	case "release":
		return now.Held
	}
	return now.Unread + now.Read
}

// confirmMove answers GET /admin/queues/{group}/move.
func (a *Admin) confirmMove(v *visit) error {
	var p movePage
	if err := v.queueFrame(&p.queueFrame, "messages"); err != nil {
		return err
	}
	f, err := readMove(v.r.URL.Query())
	if err != nil {
		return err
	}
	if p.Now, err = a.Exchange.Store.CountIn(v.ctx(), p.Group, f.IDs); err != nil {
		return err
	}
	p.Action, p.IDs, p.Changed = f.Action, f.IDs.String(), changed(f.Action, p.Now)
	p.Back = queuePath(p.Group)
	return v.show("move", p)
}

// move answers POST /admin/queues/{group}/move: all at once, in one commit.
func (a *Admin) move(v *visit) error {
	q, err := v.group()
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	f, err := readMove(v.r.PostForm)
	if err != nil {
		return err
	}
	words := map[string]string{"unread": "made unread", "hold": "held", "release": "released"}[f.Action]
	var moved uint64
	err = v.audited("messages "+words, q.Group, f.IDs.String(), func() error {
		switch f.Action {
		case "hold":
			moved, _, err = a.Exchange.Hold(v.ctx(), q.Group, f.IDs)
		case "release":
			moved, _, err = a.Exchange.Release(v.ctx(), q.Group, f.IDs)
		default:
			moved, _, err = a.Exchange.MakeUnread(v.ctx(), q.Group, f.IDs)
		}
		return err
	})
	if err != nil {
		return err
	}
	return v.redirect(queuePath(q.Group), fmt.Sprintf("%s %s.", plural(moved, "message"), words))
}
