package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/user"
	"strconv"
	"strings"

	"github.com/restante/restante/host"
)

// audited is what the audit log tells of a call.
type audited struct {
	// action is a constant phrase. If it is empty nothing is told.
	action string
	// look says that the call shows messages and changes nothing. What was found is
	// told before it is shown; of a change, what is asked for before it is done.
	look bool
	// frees says that the call makes room in a full store: then it is told of when it
	// is done, if there is no room before.
	frees bool
	// about returns what is changed or looked at, and more for people; it may be
	// nil. The reply is that of a look, and nil before a change.
	about func(r *http.Request, reply any) (subject, details string)
}

// auditTable has the calls that the audit log tells of. Every call that is no GET
// must be in it.
func auditTable() map[string]audited {
	return map[string]audited{
		"POST /reload":                             {action: "configuration reloaded"},
		"POST /verify":                             {},
		"POST /queues/{group}/messages":            {action: "messages added", about: addition},
		"GET /queues/{group}/messages":             {action: "messages listed", look: true, about: listedIDs},
		"GET /queues/{group}/messages/{id}":        {action: "message looked at", look: true, about: path("id")},
		"GET /queues/{group}/preview":              {action: "messages previewed", look: true, about: query("ids")},
		"GET /queues/{group}/deliveries/{id}/body": {action: "delivery downloaded", look: true, about: path("id")},
		"POST /queues/{group}/unread":              {action: "messages made unread", about: query("ids")},
		"POST /queues/{group}/hold":                {action: "messages held", about: query("ids")},
		"POST /queues/{group}/prune":               {action: "read messages pruned", frees: true, about: query("before")},
		"POST /queues/{group}/release":             {action: "group released"},
		"POST /queues/{group}/send":                {action: "sending asked for"},
		"POST /queues/{group}/send/pause":          {action: "sending paused"},
		"POST /queues/{group}/send/resume":         {action: "sending resumed"},
		"POST /queues/{group}/send/test":           {action: "test batch sent", about: query("url")},
		"POST /keys":                               {action: "API key created", about: grant},
		"POST /keys/{id}/revoke":                   {action: "API key revoked", about: path("id")},
		"POST /token-keys":                         {action: "token key rotated"},
		"POST /users/invite":                       {action: "user invited", about: userCall},
		"POST /users/role":                         {action: "role of user changed", about: userCall},
		"POST /users/disable":                      {action: "user disabled", about: userCall},
		"POST /users/enable":                       {action: "user enabled", about: userCall},
		"POST /users/delete":                       {action: "user deleted", about: userCall},
		"POST /users/sign-out":                     {action: "user signed out everywhere", about: userCall},
		"POST /plugins/{name}/approve":             {action: "plugin approved", about: path("name")},
		"POST /plugins/{name}/rollback":            {action: "plugin rolled back", about: path("name")},
		"POST /plugins/{name}/restart":             {action: "plugin restarted", about: path("name")},
		"GET /plugin-preview":                      {action: "plugin previewed", look: true, about: query("path")},
		"POST /plugin-lock":                        {action: "plugins locked"},
		"GET /errors/{id}":                         {action: "error looked at", look: true, about: path("id")},
		"POST /errors/{id}/acknowledge":            {action: "error acknowledged", about: path("id")},
		"POST /errors/{id}/reopen":                 {action: "error reopened", about: path("id")},
		"POST /cluster/nodes/{node}/remove":        {action: "node removed", about: path("node")},
	}
}

// audited returns a call that is told of in the audit log, if it is one of those.
// If that fails the call fails, and nothing is done or shown.
func (s *Server) audited(pattern string, call func(*http.Request) (any, error)) func(*http.Request) (any, error) {
	a, known := auditTable()[pattern]
	if !known && !strings.HasPrefix(pattern, "GET ") {
		return func(*http.Request) (any, error) {
			return nil, fmt.Errorf("%s is not known to the audit log, so it is not done", pattern)
		}
	}
	if a.action == "" {
		return call
	}
	return func(r *http.Request) (reply any, err error) {
		e := localEntry(r.Context(), a.action)
		e.Group = group(r)
		if e.Group != "" {
			if err := host.CheckGroupName(e.Group); err != nil {
				return nil, err
			}
		}
		if a.look {
			if reply, err = call(r); err != nil {
				return nil, err
			}
		}
		if a.about != nil {
			e.Subject, e.Details = a.about(r, reply)
		}
		err = s.Audit.Record(r.Context(), e)
		if a.frees && errors.Is(err, host.ErrStoreFull) {
			if reply, err = call(r); err != nil {
				return nil, err
			}
			return reply, s.Audit.Record(r.Context(), e)
		}
		if err != nil {
			return nil, err
		}
		if a.look {
			return reply, nil
		}
		if reply, err = call(r); err != nil {
			e.Action, e.Details = e.Action+": not done", err.Error()
			err = errors.Join(err, s.Audit.Record(context.WithoutCancel(r.Context()), e))
		}
		return reply, err
	}
}

func path(name string) func(*http.Request, any) (subject, details string) {
	return func(r *http.Request, _ any) (string, string) { return r.PathValue(name), "" }
}

func query(name string) func(*http.Request, any) (subject, details string) {
	return func(r *http.Request, _ any) (string, string) { return r.URL.Query().Get(name), "" }
}

func userCall(r *http.Request, _ any) (subject, details string) {
	return name(r), r.URL.Query().Get("role")
}

func addition(r *http.Request, _ any) (subject, details string) {
	if key := r.URL.Query().Get("key"); key != "" {
		details = fmt.Sprintf(", idempotency key %q", key)
	}
	return "", fmt.Sprintf("%d bytes", r.ContentLength) + details
}

func listedIDs(_ *http.Request, reply any) (subject, details string) {
	var ids host.Ranges
	messages, _ := reply.([]Message)
	for _, m := range messages {
		ids.Add(host.Range{First: m.ID, Last: m.ID})
	}
	return ids.String(), ""
}

// grant says what a key is for. What can't be read is for the call to refuse.
func grant(r *http.Request, _ any) (subject, details string) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxGrantBytes))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
	var g host.Grant
	if err != nil || json.Unmarshal(body, &g) != nil {
		return "", ""
	}
	text, _ := json.Marshal(g) // it was read from such text
	return "", string(text)
}

type callerKey struct{}

// ConnContext is for the http.Server of a Server: it finds out whose process
// calls.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, callerKey{}, peerName(c))
}

// caller returns the name of the user that calls, or "". What is called without a
// connection is called by this very process.
func localEntry(ctx context.Context, action string) host.AuditEntry {
	return host.AuditEntry{Who: host.LocalOperator, From: caller(ctx), Action: action}
}

// LocalEntry is what the audit log tells of something that was done by a command
// without the daemon.
func LocalEntry(action string) host.AuditEntry { return localEntry(context.Background(), action) }

func caller(ctx context.Context) string {
	if name, ok := ctx.Value(callerKey{}).(string); ok {
		return name
	}
	own, err := user.Current()
	if err != nil {
		return ""
	}
	return own.Username
}

func (s *Server) listAudit(r *http.Request) (any, error) {
	before, limit, err := span(r)
	if err != nil {
		return nil, err
	}
	all, err := s.Audit.List(r.Context(), host.GroupName(r.URL.Query().Get("group")), before, limit)
	if all == nil {
		all = []host.ListedAudit{}
	}
	return all, err
}

// AuditLog lists entries of the audit log, newest first, of one group if g is not
// empty; see host.Audit.List.
func (c *Client) AuditLog(ctx context.Context, g host.GroupName, before uint64, limit int) (reply []host.ListedAudit, err error) {
	query := url.Values{"before": {strconv.FormatUint(before, 10)}, "limit": {strconv.Itoa(limit)}, "group": {string(g)}}
	err = c.call(ctx, "GET", "/audit", query, nil, &reply)
	return reply, err
}
