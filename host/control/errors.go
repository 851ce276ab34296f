package control

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/restante/restante/host"
)

// errors lists what is wrong and, if all is asked for, what was. What may quote
// messages is left out.
func (s *Server) errors(r *http.Request) (any, error) {
	before, limit, err := span(r)
	if err != nil {
		return nil, err
	}
	all := []host.ListedReport{}
	if before == 0 {
		open, err := s.Inbox.Open(r.Context())
		if err != nil {
			return nil, err
		}
		for _, report := range open {
			all = append(all, host.ListedReport{ErrorReport: report})
		}
	}
	if r.URL.Query().Has("all") {
		done, err := s.Inbox.Done(r.Context(), before, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, done...)
	}
	for i := range all {
		all[i].Details, all[i].Messages = "", nil
	}
	return all, nil
}

func (s *Server) showError(r *http.Request) (any, error) {
	return s.Inbox.Report(r.Context(), r.PathValue("id"))
}

func (s *Server) acknowledgeError(r *http.Request) (any, error) {
	by := host.LocalOperator
	if name := caller(r.Context()); name != "" {
		by += " " + name
	}
	return s.Inbox.Acknowledge(r.Context(), r.PathValue("id"), by)
}

func (s *Server) reopenError(r *http.Request) (any, error) {
	return s.Inbox.Reopen(r.Context(), r.PathValue("id"))
}

// Errors lists what is wrong, newest first, without details; if all is set also
// at most limit reports that are done with. Before lists those on.
func (c *Client) Errors(ctx context.Context, all bool, before uint64, limit int) (reply []host.ListedReport, err error) {
	query := url.Values{"before": {strconv.FormatUint(before, 10)}, "limit": {strconv.Itoa(limit)}}
	if all {
		query.Set("all", "")
	}
	err = c.call(ctx, "GET", "/errors", query, nil, &reply)
	return reply, err
}

// Error returns one report.
func (c *Client) Error(ctx context.Context, id string) (reply host.ErrorReport, err error) {
	err = c.call(ctx, "GET", "/errors/"+url.PathEscape(id), nil, nil, &reply)
	return reply, err
}

// AcknowledgeError notes that a person has seen a report.
func (c *Client) AcknowledgeError(ctx context.Context, id string) (reply host.ErrorReport, err error) {
	err = c.call(ctx, "POST", "/errors/"+url.PathEscape(id)+"/acknowledge", nil, nil, &reply)
	return reply, err
}

// ReopenError has a report count as not seen.
func (c *Client) ReopenError(ctx context.Context, id string) (reply host.ErrorReport, err error) {
	err = c.call(ctx, "POST", "/errors/"+url.PathEscape(id)+"/reopen", nil, nil, &reply)
	return reply, err
}
