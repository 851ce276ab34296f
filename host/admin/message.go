package admin

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/restante/restante/host"
)

// messagePage shows one message.
type messagePage struct {
	queueFrame
	Message    messageLine
	Stored     shown
	Preview    shown
	PreviewErr string
	// Fault is why the plugin is known not to format it; it was not tried again
	// then.
	Fault      string
	Deliveries []host.ListedDelivery
	// MoreDeliveries says that there are more than are shown.
	MoreDeliveries bool
}

// previewTime is how long a page waits for a preview.
const previewTime = 3 * time.Second

// message answers GET /admin/queues/{group}/messages/{id}.
func (a *Admin) message(v *visit) error {
	var p messagePage
	if err := v.queueFrame(&p.queueFrame, "messages"); err != nil {
		return err
	}
	id, err := strconv.ParseUint(v.r.PathValue("id"), 10, 63)
	if err != nil {
		return errNotFound
	}
	m, err := a.Exchange.Store.Message(v.ctx(), p.Group, host.ID(id))
	if err != nil {
		return err
	}
	if err := v.audit("message looked at", p.Group, m.ID.String(), ""); err != nil {
		return err
	}
	p.Still = true
	p.Message = lineOf(m)
	a.dateMark(v, p.Group, &p.Message)
	if !m.Damaged {
		p.Stored = showJSON(m.Data)
		if p.Fault, err = a.fault(v, p.Group, m.ID); err != nil {
			return err
		}
		// What the plugin is known to fail over may have its process end, so only
		// somebody who wants that tries it.
		if p.Fault == "" || v.r.URL.Query().Has("try") {
			p.Fault = ""
			p.Preview, p.PreviewErr = a.preview(v, p.Group, host.NewRanges(m.ID))
		}
	}
	const most = 50
	if p.Deliveries, err = a.Exchange.Deliveries.Carrying(v.ctx(), p.Group, m.ID, most+1); err != nil {
		return err
	}
	if p.MoreDeliveries = len(p.Deliveries) > most; p.MoreDeliveries {
		p.Deliveries = p.Deliveries[:most]
	}
	p.Title = "Message " + m.ID.String() + " of " + p.Title
	return v.show("message", p)
}

// IsHeld tells whether the message is held.
func (m messagePage) IsHeld() bool { return m.Message.Status == host.Held }

// fault returns why a message can't be formatted, as far as the error inbox knows.
func (a *Admin) fault(v *visit, g host.GroupName, id host.ID) (string, error) {
	open, err := v.open()
	for _, r := range open {
		if r.Group != g || r.Kind != host.ErrorBlocked && r.Kind != host.ErrorHeld {
			continue
		}
		for _, m := range r.Messages {
			if m.ID == id {
				return m.Reason, err
			}
		}
	}
	return "", err
}

// preview formats messages as their receiver would get them, or says why that
// can't be done.
func (a *Admin) preview(v *visit, g host.GroupName, ids host.Ranges) (shown, string) {
	ctx, cancel := context.WithTimeout(v.ctx(), previewTime)
	defer cancel()
	var s shown
	err := a.inTurn(ctx, func() error {
		d, err := a.Exchange.Preview(ctx, g, ids)
		if err == nil {
			s = showDocument(d.ContentType, d.Filename, d.Body)
		}
		return err
	})
	return s, v.unformatted(ctx, previewTime, err)
}

// inTurn does what makes large documents, a few at a time.
func (a *Admin) inTurn(ctx context.Context, do func() error) error {
	return within(ctx, a.formatting, do)
}

// within does something while it has one of so many places.
func within(ctx context.Context, places chan struct{}, do func() error) error {
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-places }()
	return do()
}

// unformatted says why there is no document, or "" if there is one. What the
// plugin itself says is for operators.
func (v *visit) unformatted(ctx context.Context, most time.Duration, err error) string {
	unavailable, out := errors.AsType[*host.UnavailableError](err)
	_, rejected := errors.AsType[*host.RejectedError](err)
	switch {
	case err == nil:
		return ""
	case ctx.Err() != nil:
		return "It takes longer than " + host.Duration(most) + "."
	case out && !v.user.Role.Allows(host.Operator):
		return short(unavailable.Public(), maxReason)
	case out, rejected, errors.Is(err, host.ErrNoMessage), errors.Is(err, host.ErrTooLarge):
		return short(err.Error(), maxReason)
	}
	v.a.Log.Warn("document not made for a page", "error", err)
	return "The cause is in the daemon's log."
}

// maxReason is how much a page shows of what a plugin says.
const maxReason = 2000
