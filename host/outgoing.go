package host

import (
	"context"
	"errors"
	"fmt"
)

// SendQueue returns a queue whose messages are sent, ErrUnknownGroup or ErrNotSent.
func (x *Exchange) SendQueue(g GroupName) (Queue, error) {
	q, err := x.Queues.Queue(g)
	if err == nil && q.Method != Send {
		err = fmt.Errorf("%w: %q has the method %q", ErrNotSent, g, q.Method)
	}
	return q, err
}

// Take formats the oldest unread messages of a send queue, as Fetch does for a poll
// queue, at most limit with at most maxBytes of data, and asks the plugin how they
// are to be sent. It marks nothing. When it returns the record of the delivery and
// its bytes are on disk. To is where it is to go, for the record.
func (x *Exchange) Take(ctx context.Context, g GroupName, limit, maxBytes int, to string) (Fetched, error) {
	f, err := x.takeOut(ctx, g, limit, maxBytes, Caller{Address: to})
	if x.Observer != nil && ctx.Err() == nil {
		x.Observer.Fetched(g, f, err)
	}
	return f, err
}

func (x *Exchange) takeOut(ctx context.Context, g GroupName, limit, maxBytes int, by Caller) (Fetched, error) {
	q, err := x.SendQueue(g)
	if err != nil {
		return Fetched{}, err
	}
	if x.Deliveries == nil {
		return Fetched{}, errors.New("nothing can be sent without a record of deliveries")
	}
	f, b, err := x.fetchBatch(ctx, q, limit, maxBytes)
	if err != nil {
		return Fetched{}, err
	}
	if f.Request, err = x.request(ctx, q, b, f.Document); err != nil {
		return Fetched{}, err
	}
	return f, x.Deliveries.keep(ctx, f, by)
}

func (x *Exchange) request(ctx context.Context, q Queue, b Batch, d Document) (HTTPRequest, error) {
	if !q.FormatsRequest {
		return HTTPRequest{}, nil
	}
	r, err := x.Formatters.FormatHTTPRequest(ctx, q.Plugin, b, d)
	if err == nil {
		if wrong := r.Check(); wrong != nil {
			err = &UnavailableError{Plugin: q.Plugin, Reason: "it gave a request that can't be made", Detail: wrong.Error()}
		}
	}
	return r, err
}

// TakeAgain returns a batch that was taken before, byte for byte, or nil if that
// can't be sent again: its messages are not all unread any more, or its bytes are
// not kept.
func (x *Exchange) TakeAgain(ctx context.Context, g GroupName, o Outgoing) (*Fetched, error) {
	ids, err := ParseRanges(o.IDs)
	if err != nil && o.Count > 0 {
		return nil, fmt.Errorf("%w: the batch on its way for %q: %w", ErrDamaged, g, err)
	}
	now, err := x.Store.CountIn(ctx, g, ids)
	if err != nil || now.Unread != o.Count {
		return nil, err
	}
	d, err := x.Deliveries.Delivery(ctx, g, o.Delivery)
	var body []byte
	if err == nil {
		body, err = x.Deliveries.Body(ctx, d)
	}
	if errors.Is(err, ErrNoRecord) || errors.Is(err, ErrNoBody) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read delivery %s of %q: %w", o.Delivery, g, err)
	}
	sum, err := d.Sum()
	return &Fetched{
		Group: g, Delivery: o.Delivery, Token: o.Token, IDs: ids, Request: o.Request, SHA256: sum,
		Document: Document{ContentType: d.ContentType, Filename: d.Filename, Body: body, Origin: d.Origin},
	}, err
}

// Sent marks the messages of a batch that its receiver has accepted. Repeating it
// changes nothing.
func (x *Exchange) Sent(ctx context.Context, g GroupName, o Outgoing, to string) (Marked, error) {
	return x.mark(ctx, g, o.Token, nil, Caller{Address: to})
}

// Sample formats the oldest unread messages of a send queue as Take does, and
// records and changes nothing. What it gives can't be marked.
func (x *Exchange) Sample(ctx context.Context, g GroupName, limit, maxBytes int) (Fetched, error) {
	q, err := x.SendQueue(g)
	if err != nil {
		return Fetched{}, err
	}
	b, unread, err := x.take(ctx, g, limit, maxBytes)
	if err != nil {
		return Fetched{}, err
	}
	b.Token = PreviewToken
	d, err := x.format(ctx, q, b)
	if err != nil {
		return Fetched{}, err
	}
	r, err := x.request(ctx, q, b, d)
	return Fetched{Group: g, Token: b.Token, IDs: b.IDs(), Unread: unread, Document: d, Request: r}, err
}
