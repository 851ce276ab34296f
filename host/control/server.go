package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
)

// Server answers the commands.
type Server struct {
	// Exchange, Keys, Users, Inbox, Audit and Log are required.
	Exchange *host.Exchange
	Keys     *host.Keys
	Users    *host.Users
	Inbox    *host.Inbox
	Audit    *host.Audit
	Log      hclog.Logger
	// URL is where people find the pages, without the path; empty if that is not
	// known.
	URL string
	// Outbox has the attempts to send.
	Outbox *host.Outbox
	// Sender, Plugins, Status and Reload are nil in a server that no daemon stands behind.
	Sender  Sender
	Plugins Plugins
	Status  func() Status
	Reload  func(context.Context) (Reloaded, error)
	// Export writes an archive of all that is stored, and returns what it has as JSON.
	// Import puts one into the store. Both are nil in a server that no daemon stands
	// behind.
	Export func(ctx context.Context, w io.Writer, withoutDamaged bool) (json.RawMessage, error)
	Import func(ctx context.Context, r io.Reader) error
	// Cluster is nil where the store is not shared.
	Cluster Cluster
	// Check returns everything that is wrong with the stored data.
	Check func() error
}

// Handler returns all calls.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, call := range map[string]func(*http.Request) (any, error){
		"GET /status":                                  s.status,
		"POST /reload":                                 s.reload,
		"GET /queues":                                  s.queues,
		"POST /queues/{group}/messages":                s.add,
		"GET /queues/{group}/messages":                 s.list,
		"GET /queues/{group}/messages/{id}":            s.message,
		"GET /queues/{group}/preview":                  s.preview,
		"GET /queues/{group}/deliveries":               s.deliveries,
		"GET /queues/{group}/deliveries/{id}":          s.delivery,
		"GET /queues/{group}/deliveries/{id}/body":     s.deliveryBody,
		"GET /queues/{group}/deliveries/{id}/attempts": s.attempts,
		"POST /queues/{group}/send":                    s.send,
		"GET /queues/{group}/send":                     s.sendStatus,
		"POST /queues/{group}/send/pause":              s.sendPause,
		"POST /queues/{group}/send/resume":             s.sendResume,
		"POST /queues/{group}/send/test":               s.sendTest,
		"POST /verify":                                 s.verify,
		"POST /queues/{group}/unread":                  s.makeUnread,
		"POST /queues/{group}/hold":                    s.hold,
		"POST /queues/{group}/prune":                   s.prune,
		"POST /queues/{group}/release":                 s.release,
		"GET /keys":                                    s.listKeys,
		"POST /keys":                                   s.createKey,
		"POST /keys/{id}/revoke":                       s.revokeKey,
		"POST /token-keys":                             s.rotateTokens,
		"GET /users":                                   s.listUsers,
		"POST /users/invite":                           s.inviteUser,
		"POST /users/role":                             s.setRole,
		"POST /users/disable":                          s.disableUser,
		"POST /users/enable":                           s.enableUser,
		"POST /users/delete":                           s.deleteUser,
		"POST /users/sign-out":                         s.signOutUser,
		"GET /plugins":                                 s.plugins,
		"POST /plugins/{name}/approve":                 s.approve,
		"POST /plugins/{name}/rollback":                s.rollBack,
		"POST /plugins/{name}/restart":                 s.restart,
		"GET /plugin-preview":                          s.previewPlugin,
		"POST /plugin-lock":                            s.lockPlugins,
		"GET /errors":                                  s.errors,
		"GET /errors/{id}":                             s.showError,
		"POST /errors/{id}/acknowledge":                s.acknowledgeError,
		"POST /errors/{id}/reopen":                     s.reopenError,
		"GET /audit":                                   s.listAudit,
		"GET /cluster":                                 s.cluster,
		"POST /cluster/nodes/{node}/remove":            s.removeNode,
	} {
		call := s.audited(pattern, call)
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(pattern, "/send") {
				unhurried(w)
			}
			reply, err := call(r)
			if err == nil {
				err = s.answer(w, reply)
			}
			if err != nil {
				s.fail(w, r, err)
			}
		})
	}
	mux.HandleFunc("GET /export", s.export)
	mux.HandleFunc("POST /import", s.importAll)
	return mux
}

func (s *Server) answer(w http.ResponseWriter, reply any) error {
	if d, ok := reply.(host.Document); ok {
		w.Header().Set("Content-Type", d.ContentType)
		_, err := w.Write(d.Body)
		return err
	}
	body, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(body)
	return err
}

// fail answers with the error and what to do about it. The other end is the
// operator, so nothing is kept back.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	reply := Error{Status: http.StatusBadRequest, Message: err.Error()}
	switch {
	case errors.Is(err, host.ErrUnknownGroup):
		reply.Status = http.StatusNotFound
		reply.Message = fmt.Sprintf("unknown group %q", r.PathValue("group"))
		reply.Hint = "\"restante queues\" lists the groups; a plugin or a queue block in the configuration declares one"
	case errors.Is(err, host.ErrNoCluster):
		reply.Status = http.StatusNotFound
		reply.Hint = "docs/cluster.md tells how several daemons keep a store together"
	case errors.Is(err, host.ErrNotSent):
		reply.Status = http.StatusConflict
		reply.Hint = "its receiver fetches the messages; method = \"send\" in the block of the queue has them sent"
	case errors.Is(err, host.ErrNoBody):
		reply.Status = http.StatusNotFound
		reply.Hint = "bodies are kept for a time; \"restante deliveries show\" has what is known of it"
	case errors.Is(err, host.ErrNoMessage), errors.Is(err, host.ErrNoRecord):
		reply.Status = http.StatusNotFound
	case errors.Is(err, host.ErrNoUser):
		reply.Status = http.StatusNotFound
		reply.Hint = "\"restante users list\" shows the users; \"restante users invite\" adds one"
	case errors.Is(err, host.ErrLastAdmin):
		reply.Status = http.StatusConflict
		reply.Hint = "\"restante users role NAME admin\" makes another user an admin"
	case errors.Is(err, host.ErrExternal):
		reply.Status = http.StatusConflict
		reply.Hint = "what the provider says of the user holds at each sign-in; \"restante users disable\" keeps the user out"
	case errors.Is(err, host.ErrDamaged):
		reply.Status = http.StatusInternalServerError
		reply.Hint = "\"restante messages hold\" keeps a damaged message back, so that the others go on; the disk may be failing: \"restante verify\" looks at everything"
	case errors.Is(err, host.ErrNotEmpty):
		reply.Status = http.StatusConflict
		reply.Hint = "an import needs a store that nothing was added to: start all daemons with new data folders or, on NATS servers, with another prefix, and import there"
	case errors.Is(err, host.ErrStoreFull):
		reply.Status = http.StatusServiceUnavailable
		reply.Hint = "make space on the disk of the data folder; what was accepted before is safe"
	case errors.Is(err, host.ErrUnavailable):
		reply.Status = http.StatusServiceUnavailable
		reply.Hint = "most of the NATS servers must run and reach each other; the command can be repeated"
	case errors.Is(err, host.ErrClosed), errors.Is(err, host.ErrNotSending):
		reply.Status = http.StatusServiceUnavailable
		reply.Hint = "the daemon is stopping; try again when it runs"
	case errors.Is(err, errNoDaemon):
		reply.Status = http.StatusServiceUnavailable
		reply.Hint = "start it with \"restante serve\""
	case errors.Is(err, host.ErrKeyReused), errors.Is(err, host.ErrConflict):
		reply.Status = http.StatusConflict
	}
	s.Log.Debug("command refused", "call", r.Pattern, "error", err)
	body, _ := json.Marshal(reply) // strings always marshal
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(reply.Status)
	w.Write(body)
}

var errNoDaemon = errors.New("no daemon is running")

func (s *Server) status(*http.Request) (any, error) {
	if s.Status == nil {
		return nil, errNoDaemon
	}
	return s.Status(), nil
}

func (s *Server) reload(r *http.Request) (any, error) {
	if s.Reload == nil {
		return nil, errNoDaemon
	}
	reloaded, err := s.Reload(r.Context())
	return reloaded, err
}

func group(r *http.Request) host.GroupName { return host.GroupName(r.PathValue("group")) }

func (s *Server) queues(r *http.Request) (any, error) {
	all := []Queue{}
	for _, q := range s.Exchange.Queues.All() {
		counts, err := s.Exchange.Store.Counts(r.Context(), q.Group)
		if err != nil {
			return nil, err
		}
		shown := Queue{Queue: q, Unread: counts.Unread, Read: counts.Read, Held: counts.Held, Last: counts.Last}
		if q.Method == host.Send && s.Sender != nil {
			// A queue that was declared just now has no status yet.
			if status, err := s.Sender.Status(r.Context(), q.Group); err == nil {
				shown.Sending = &status
			}
		}
		all = append(all, shown)
	}
	return all, nil
}

func (s *Server) add(r *http.Request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, host.MaxAdditionBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the messages: %w", err)
	}
	if len(body) > host.MaxAdditionBytes {
		return nil, fmt.Errorf("%w: a request holds at most %d bytes", host.ErrTooLarge, host.MaxAdditionBytes)
	}
	ids, err := s.Exchange.Add(r.Context(), host.AddRequest{
		Group: group(r),
		Body:  body,
		Lines: r.URL.Query().Has("lines"),
		Key:   r.URL.Query().Get("key"),
	})
	return idsReply{ids}, err
}

func (s *Server) list(r *http.Request) (any, error) {
	before, limit, err := s.page(r)
	if err != nil {
		return nil, err
	}
	var only []host.Status
	for _, text := range r.URL.Query()["status"] {
		status, err := host.ParseStatus(text)
		if err != nil {
			return nil, err
		}
		only = append(only, status)
	}
	listed, err := s.Exchange.Store.List(r.Context(), group(r), host.ID(before), limit, only...)
	all := make([]Message, len(listed))
	for i, m := range listed {
		all[i] = shown(m)
	}
	return all, err
}

// page reads what part of a list of a group is asked for.
func (s *Server) page(r *http.Request) (before uint64, limit int, err error) {
	if before, limit, err = span(r); err == nil {
		_, err = s.Exchange.Queues.Queue(group(r))
	}
	return before, limit, err
}

// span reads what part of a list is asked for.
func span(r *http.Request) (before uint64, limit int, err error) {
	if before, err = number(r, "before", 0); err != nil {
		return 0, 0, err
	}
	most, err := number(r, "limit", 20)
	if err != nil || most < 1 || most > host.MaxFetch {
		return 0, 0, fmt.Errorf("limit must be a number from 1 to %d", host.MaxFetch)
	}
	return before, int(most), nil
}

func shown(m host.Listed) Message {
	return Message{ID: m.ID, Time: m.Time, Status: m.Status.String(), Key: m.Key, Data: m.Data, Damaged: m.Damaged}
}

func (s *Server) message(r *http.Request) (any, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not a message id", r.PathValue("id"))
	}
	if _, err := s.Exchange.Queues.Queue(group(r)); err != nil {
		return nil, err
	}
	m, err := s.Exchange.Store.Message(r.Context(), group(r), host.ID(id))
	if err != nil {
		return nil, err
	}
	reply := shown(m)
	reply.Deliveries, err = s.Exchange.Deliveries.Carrying(r.Context(), group(r), m.ID, maxShown)
	return reply, err
}

// maxShown is how many deliveries are shown with a message.
const maxShown = 20

func (s *Server) preview(r *http.Request) (any, error) {
	ids, err := host.ParseRanges(r.URL.Query().Get("ids"))
	if err != nil {
		return nil, err
	}
	return unwrap(s.Exchange.Preview(r.Context(), group(r), ids))
}

func unwrap(d host.Document, err error) (any, error) { return d, err }

func (s *Server) makeUnread(r *http.Request) (any, error) {
	return s.move(r, "messages made unread", s.Exchange.MakeUnread)
}

func (s *Server) hold(r *http.Request) (any, error) {
	return s.move(r, "messages held", s.Exchange.Hold)
}

func (s *Server) move(r *http.Request, what string, move func(context.Context, host.GroupName, host.Ranges) (uint64, host.Counts, error)) (any, error) {
	ids, err := host.ParseRanges(r.URL.Query().Get("ids"))
	if err != nil {
		return nil, err
	}
	moved, after, err := move(r.Context(), group(r), ids)
	if err == nil {
		s.Log.Info(what, "group", group(r), "ids", ids.String(), "count", moved)
	}
	return Changed{Count: moved, Unread: after.Unread}, err
}

// release gives the group of a plugin that is gone to whichever plugin declares
// it next.
func (s *Server) release(r *http.Request) (any, error) {
	q, err := s.Exchange.Queues.Queue(group(r))
	if err != nil {
		return nil, err
	}
	if q.Plugin == "" {
		return nil, fmt.Errorf("group %q belongs to no plugin", q.Group)
	}
	if s.Plugins != nil {
		for _, p := range s.Plugins.List() {
			if p.File == q.File || p.Name == q.Plugin {
				return nil, fmt.Errorf("the plugin %q, which has the group %q, is in the plugin folder: remove its file %q first", q.Plugin, q.Group, p.File)
			}
		}
	}
	if err := s.Exchange.Queues.Release(r.Context(), q.Group); err != nil {
		return nil, err
	}
	s.Log.Warn("group released", "group", q.Group, "plugin", q.Plugin)
	if s.Plugins != nil {
		s.Plugins.Reclaim()
	}
	return q, nil
}

func (s *Server) prune(r *http.Request) (any, error) {
	before, err := time.Parse(time.RFC3339, r.URL.Query().Get("before"))
	if err != nil {
		return nil, fmt.Errorf("before must be a time such as 2026-01-31T00:00:00Z")
	}
	// What was begun is finished even if the command is called off: each step
	// is complete in itself, and the log says how far it got.
	pruned, err := s.Exchange.Prune(context.WithoutCancel(r.Context()), group(r), before)
	if pruned > 0 {
		s.Log.Info("read messages pruned", "group", group(r), "before", before, "count", pruned)
	}
	if err != nil {
		return nil, err
	}
	counts, err := s.Exchange.Store.Counts(r.Context(), group(r))
	return Changed{Count: pruned, Unread: counts.Unread}, err
}

func number(r *http.Request, name string, unset uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return unset, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s must be a number, not %q", name, text)
	}
	return n, nil
}
