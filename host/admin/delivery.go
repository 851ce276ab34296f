package admin

import (
	"cmp"
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/restante/restante/host"
)

// deliveriesPage lists what left the building.
type deliveriesPage struct {
	queueFrame
	Deliveries []host.ListedDelivery
	Older      string
	Newer      bool
}

// deliveries answers GET /admin/queues/{group}/deliveries.
func (a *Admin) deliveries(v *visit) error {
	var p deliveriesPage
	if err := v.queueFrame(&p.queueFrame, "deliveries"); err != nil {
		return err
	}
	before, err := v.number("before")
	if err != nil {
		return err
	}
	if p.Deliveries, err = a.Exchange.Deliveries.List(v.ctx(), p.Group, before, pageLength+1); err != nil {
		return err
	}
	p.Newer = before > 0
	if len(p.Deliveries) > pageLength {
		p.Deliveries = p.Deliveries[:pageLength]
		p.Older = "?before=" + strconv.FormatUint(p.Deliveries[pageLength-1].Number, 10)
	}
	return v.show("deliveries", p)
}

// deliveryPage shows one delivery.
type deliveryPage struct {
	queueFrame
	Delivery host.Delivery
	Body     shown
	BodyErr  string
	// Again is set when the batch was formatted once more; AgainErr is why it
	// could not be, and Diff what is different, empty if nothing is.
	Again          bool
	AgainErr, Diff string
	AgainBy        host.Origin
	// Attempts are those to send it, if it was.
	Attempts attemptTable
}

// maxAttempts is how many attempts the page of a delivery has.
const maxAttempts = 100

// delivery answers GET /admin/queues/{group}/deliveries/{id}.
func (a *Admin) delivery(v *visit) error {
	var p deliveryPage
	if err := v.queueFrame(&p.queueFrame, "deliveries"); err != nil {
		return err
	}
	var err error
	if p.Delivery, err = a.Exchange.Deliveries.Delivery(v.ctx(), p.Group, v.r.PathValue("id")); err != nil {
		return err
	}
	if err := v.audit("delivery looked at", p.Group, p.Delivery.ID, ""); err != nil {
		return err
	}
	attempts, err := a.Sender.Attempts(v.ctx(), p.Group, p.Delivery.ID)
	if err != nil {
		return err
	}
	slices.Reverse(attempts)
	p.Attempts = attemptTable{Group: p.Group, Attempts: attempts[:min(len(attempts), maxAttempts)], Answers: true, More: len(attempts) > maxAttempts}
	p.Still = true
	p.Title = "Delivery of " + p.Title
	p.Again = v.r.URL.Query().Has("again")
	if err := a.inTurn(v.ctx(), func() error { p.fill(v); return nil }); err != nil {
		return err
	}
	return v.show("delivery", p)
}

// fill gets the body and, if that is asked for, formats the batch again.
func (p *deliveryPage) fill(v *visit) {
	d := p.Delivery
	body, err := v.a.Exchange.Deliveries.Body(v.ctx(), d)
	if err != nil {
		if !errors.Is(err, host.ErrNoBody) {
			v.a.Log.Warn("body of a delivery not read", "delivery", d.ID, "error", err)
		}
		p.BodyErr = cmp.Or(explain(err).Text, "It can't be read. The cause is in the daemon's log.")
	} else {
		p.Body = showDocument(d.ContentType, d.Filename, body)
	}
	if !p.Again {
		return
	}
	ctx, cancel := context.WithTimeout(v.ctx(), againTime)
	defer cancel()
	now, err := v.a.Exchange.FormatAgain(ctx, d)
	switch {
	case err != nil:
		p.AgainErr = v.unformatted(ctx, againTime, err)
	case p.BodyErr != "":
		p.AgainErr = "There is nothing to compare it with: the body is not kept any more."
	default:
		before := host.Document{ContentType: d.ContentType, Filename: d.Filename, Body: body}
		if p.AgainBy = now.Origin; !now.Equal(before) {
			p.Diff = v.a.Diff(before, now)
		}
	}
}

// againTime is how long a page waits for a batch to be formatted again.
const againTime = 20 * time.Second

// deliveryBody answers GET /admin/queues/{group}/deliveries/{id}/body with the
// very bytes that left, to be saved and never to be shown by the browser.
func (a *Admin) deliveryBody(v *visit) error {
	q, err := v.group()
	if err != nil {
		return err
	}
	d, err := a.Exchange.Deliveries.Delivery(v.ctx(), q.Group, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	body, err := a.Exchange.Deliveries.Body(v.ctx(), d)
	if err != nil {
		return err
	}
	if err := v.audit("delivery downloaded", q.Group, d.ID, ""); err != nil {
		return err
	}
	name := d.Filename
	if name == "" {
		name = d.ID
	}
	h := v.w.Header()
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(body)
	return nil
}
