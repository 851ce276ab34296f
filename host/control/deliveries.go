package control

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/restante/restante/host"
)

func (s *Server) deliveries(r *http.Request) (any, error) {
	before, limit, err := s.page(r)
	if err != nil {
		return nil, err
	}
	all, err := s.Exchange.Deliveries.List(r.Context(), group(r), before, limit)
	if all == nil {
		all = []host.ListedDelivery{}
	}
	return all, err
}

func (s *Server) delivery(r *http.Request) (any, error) {
	return s.Exchange.Deliveries.Delivery(r.Context(), group(r), r.PathValue("id"))
}

// deliveryBody answers with the very bytes that left.
func (s *Server) deliveryBody(r *http.Request) (any, error) {
	d, err := s.Exchange.Deliveries.Delivery(r.Context(), group(r), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	body, err := s.Exchange.Deliveries.Body(r.Context(), d)
	return host.Document{ContentType: d.ContentType, Filename: d.Filename, Body: body}, err
}

// Verified is what a check of the stored data has found.
type Verified struct {
	// Faults are what is wrong, one in a line; none if all is well.
	Faults []string `json:"faults"`
}

func (s *Server) verify(*http.Request) (any, error) {
	v := Verified{Faults: []string{}}
	if err := s.Check(); err != nil {
		v.Faults = strings.Split(err.Error(), "\n")
	}
	return v, nil
}

// Deliveries lists deliveries of a group newest first; see host.Deliveries.List.
func (c *Client) Deliveries(ctx context.Context, g host.GroupName, before uint64, limit int) (reply []host.ListedDelivery, err error) {
	query := url.Values{"before": {strconv.FormatUint(before, 10)}, "limit": {strconv.Itoa(limit)}}
	err = c.call(ctx, "GET", "/queues/"+string(g)+"/deliveries", query, nil, &reply)
	return reply, err
}

// Delivery returns one delivery.
func (c *Client) Delivery(ctx context.Context, g host.GroupName, id string) (reply host.Delivery, err error) {
	err = c.call(ctx, "GET", "/queues/"+string(g)+"/deliveries/"+url.PathEscape(id), nil, nil, &reply)
	return reply, err
}

// DeliveryBody returns the very bytes of a delivery.
func (c *Client) DeliveryBody(ctx context.Context, g host.GroupName, id string) ([]byte, error) {
	return c.read(ctx, "GET", "/queues/"+string(g)+"/deliveries/"+url.PathEscape(id)+"/body", nil, nil)
}

// Verify checks all that is stored. It takes as long as reading all of it.
func (c *Client) Verify(ctx context.Context) (reply Verified, err error) {
	err = c.call(ctx, "POST", "/verify", nil, nil, &reply)
	return reply, err
}
