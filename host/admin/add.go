package admin

import (
	"crypto/rand"
	"errors"

	"github.com/restante/restante/host"
)

// addPage is the form to add a message by hand.
type addPage struct {
	queueFrame
	// Data is what was written so far, and Err what is wrong with it.
	Data, Err string
	// Nonce makes it safe to send the form twice.
	Nonce string
}

// addForm answers GET /admin/queues/{group}/add.
func (a *Admin) addForm(v *visit) error {
	return v.addPage(addPage{Nonce: rand.Text()})
}

func (v *visit) addPage(p addPage) error {
	if err := v.queueFrame(&p.queueFrame, "add"); err != nil {
		return err
	}
	status := 200
	if p.Err != "" {
		status = 422
	}
	return v.render(status, "add", p)
}

// add answers POST /admin/queues/{group}/add.
func (a *Admin) add(v *visit) error {
	q, err := v.group()
	if err != nil {
		return err
	}
	if err := v.formUpTo(maxAddForm); err != nil {
		return err
	}
	p := addPage{Data: v.r.PostForm.Get("data"), Nonce: v.r.PostForm.Get("nonce")}
	if _, err := host.CheckData([]byte(p.Data)); err != nil {
		p.Err = "That is no message: " + err.Error() + "."
		return v.addPage(p)
	}
	var ids []host.ID
	err = v.audited("message added by hand", q.Group, "", func() error {
		ids, err = a.Exchange.Add(v.ctx(), host.AddRequest{Group: q.Group, Body: []byte(p.Data), ByHand: v.user.Name, Key: p.Nonce})
		return err
	})
	if errors.Is(err, host.ErrBadData) || errors.Is(err, host.ErrTooLarge) || errors.Is(err, host.ErrKeyReused) {
		p.Err = err.Error() + "."
		if errors.Is(err, host.ErrKeyReused) {
			p.Nonce, p.Err = rand.Text(), "The form was sent before with other data. Send it once more to add this, too."
		}
		return v.addPage(p)
	}
	if err != nil {
		return err
	}
	return v.redirect(queuePath(q.Group)+"/messages/"+ids[0].String(), "Message "+ids[0].String()+" added.")
}
