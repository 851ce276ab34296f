package control

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/restante/restante/host"
)

// Sender is what the commands need of what sends.
type Sender interface {
	SendNow(ctx context.Context, g host.GroupName) (host.SendResult, error)
	Status(ctx context.Context, g host.GroupName) (host.SendStatus, error)
	Pause(ctx context.Context, g host.GroupName, by string) error
	Resume(ctx context.Context, g host.GroupName) error
	TestLocally(ctx context.Context, g host.GroupName, url string) (host.Attempt, error)
}

// sender returns what sends a group, or why nothing does.
func (s *Server) sender(r *http.Request) (Sender, host.GroupName, error) {
	g := group(r)
	if _, err := s.Exchange.SendQueue(g); err != nil {
		return nil, g, err
	}
	if s.Sender == nil {
		return nil, g, errNoDaemon
	}
	return s.Sender, g, nil
}

// send answers when all is sent, or something stands in the way.
func (s *Server) send(r *http.Request) (any, error) {
	sender, g, err := s.sender(r)
	if err != nil {
		return nil, err
	}
	return reply(sender.SendNow(r.Context(), g))
}

func reply[T any](v T, err error) (any, error) { return v, err }

func (s *Server) sendStatus(r *http.Request) (any, error) {
	sender, g, err := s.sender(r)
	if err != nil {
		return nil, err
	}
	return reply(sender.Status(r.Context(), g))
}

func (s *Server) sendPause(r *http.Request) (any, error) {
	sender, g, err := s.sender(r)
	if err == nil {
		err = sender.Pause(r.Context(), g, host.LocalOperator)
	}
	if err != nil {
		return nil, err
	}
	return reply(sender.Status(r.Context(), g))
}

func (s *Server) sendResume(r *http.Request) (any, error) {
	sender, g, err := s.sender(r)
	if err == nil {
		err = sender.Resume(r.Context(), g)
	}
	if err != nil {
		return nil, err
	}
	return reply(sender.Status(r.Context(), g))
}

func (s *Server) sendTest(r *http.Request) (any, error) {
	sender, g, err := s.sender(r)
	if err != nil {
		return nil, err
	}
	return reply(sender.TestLocally(r.Context(), g, r.URL.Query().Get("url")))
}

func (s *Server) attempts(r *http.Request) (any, error) {
	all, err := s.Outbox.Attempts(r.Context(), group(r), r.PathValue("id"))
	if all == nil {
		all = []host.Attempt{}
	}
	return all, err
}

// unhurried has a call take as long as it takes.
func unhurried(w http.ResponseWriter) {
	// A server in this very process has no deadline to lift.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
}

func sendPath(g host.GroupName) string { return "/queues/" + string(g) + "/send" }

// Send has a group sent, and returns when all is, or something stands in the way.
func (c *Client) Send(ctx context.Context, g host.GroupName) (reply host.SendResult, err error) {
	err = c.call(ctx, "POST", sendPath(g), nil, nil, &reply)
	return reply, err
}

// SendStatus says how sending is for a group.
func (c *Client) SendStatus(ctx context.Context, g host.GroupName) (reply host.SendStatus, err error) {
	err = c.call(ctx, "GET", sendPath(g), nil, nil, &reply)
	return reply, err
}

// PauseSending has nothing of a group sent until it is resumed.
func (c *Client) PauseSending(ctx context.Context, g host.GroupName) (reply host.SendStatus, err error) {
	err = c.call(ctx, "POST", sendPath(g)+"/pause", nil, nil, &reply)
	return reply, err
}

// ResumeSending goes on with a group that was paused or blocked, or given up on.
func (c *Client) ResumeSending(ctx context.Context, g host.GroupName) (reply host.SendStatus, err error) {
	err = c.call(ctx, "POST", sendPath(g)+"/resume", nil, nil, &reply)
	return reply, err
}

// SendTest sends what would be sent next to another URL, and changes nothing.
func (c *Client) SendTest(ctx context.Context, g host.GroupName, to string) (reply host.Attempt, err error) {
	err = c.call(ctx, "POST", sendPath(g)+"/test", url.Values{"url": {to}}, nil, &reply)
	return reply, err
}

// Attempts returns the attempts to send a delivery, oldest first.
func (c *Client) Attempts(ctx context.Context, g host.GroupName, delivery string) (reply []host.Attempt, err error) {
	err = c.call(ctx, "GET", "/queues/"+string(g)+"/deliveries/"+url.PathEscape(delivery)+"/attempts", nil, nil, &reply)
	return reply, err
}
