package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/restante/restante/host"
)

// Base is the path of all calls about a group; Haplo's.
const Base = "/api/haplo-integration-messages"

// route is one method of one path.
type route struct {
	method, path string
	// may is what the API key has to allow for the group of the path or, if
	// there is none in it, for all groups; empty for what needs no key.
	may    host.Permission
	handle handler
}

// handler answers a request about a group, or one without a group. It returns
// an error instead of writing an answer, never both.
type handler func(w http.ResponseWriter, r *http.Request, g host.GroupName) error

// routes lists everything that is served. The router tries them in this order.
func (a *API) routes() []route {
	return []route{
		{"POST", Base + "/add/{group}", host.MayAdd, a.add},
		{"GET", Base + "/poll/{group}/fetch", host.MayPoll, a.fetch},
		{"POST", Base + "/poll/{group}/mark", host.MayPoll, a.mark},
		{"POST", Base + "/send/{group}", host.MaySend, a.sendSoon},
		{"GET", "/healthz", "", a.healthz},
		{"GET", "/readyz", "", a.readyz},
		{"GET", "/api/openapi.yaml", "", a.openAPI},
		{"GET", "/metrics", host.MayReadMetrics, a.readMetrics},
	}
}

func (a *API) newRouter() *mux.Router {
	// A path is taken as it comes: a redirect to a cleaner one would turn a
	// POST into a GET at many clients.
	router := mux.NewRouter().SkipClean(true)
	methods := map[string][]string{}
	for _, t := range a.routes() {
		router.Path(t.path).Methods(t.method).Handler(a.serve(t))
		methods[t.path] = append(methods[t.path], t.method)
	}
	for path, allowed := range methods {
		router.Path(path).Handler(a.serve(route{handle: methodNotAllowed(allowed)}))
	}
	router.NotFoundHandler = a.serve(route{handle: notFound})
	return router
}

func methodNotAllowed(allowed []string) handler {
	allow := strings.Join(allowed, ", ")
	return func(w http.ResponseWriter, r *http.Request, _ host.GroupName) error {
		w.Header().Set("Allow", allow)
		return faultf(errMethod, "This path does not answer %q. Use %s.", r.Method, allow)
	}
}

func notFound(http.ResponseWriter, *http.Request, host.GroupName) error {
	return faultf(errNotFound, "Nothing is served at this path. /api/openapi.yaml describes what is.")
}

// serve makes a handler out of a route: first the key, so that nobody learns
// anything about a group that isn't theirs, then the name, then the work.
func (a *API) serve(t route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var g host.GroupName
		var err error
		if t.may != "" {
			name, one := mux.Vars(r)["group"]
			if g = host.GroupName(name); !one {
				g = host.EveryGroup
			}
			var key string
			if key, err = a.authorize(r, g, t.may); err == nil && one {
				err = host.CheckGroupName(g)
			}
			r = r.WithContext(context.WithValue(r.Context(), keyOfRequest{}, key))
		}
		if err == nil {
			err = t.handle(w, r, g)
		}
		if err != nil {
			a.refuse(w, r, g, err)
		}
	})
}

// apiUser is the user name that goes with every API key; Haplo's.
const apiUser = "haplo"

// authorize returns the id of the key.
func (a *API) authorize(r *http.Request, g host.GroupName, p host.Permission) (string, error) {
	user, text, ok := r.BasicAuth()
	if !ok {
		return "", host.ErrUnauthorized
	}
	if user != apiUser {
		return "", faultf(host.ErrUnauthorized, "the user name is not %q", apiUser)
	}
	return a.keys.Authorize(r.Context(), text, g, p)
}

// keyOfRequest is where a request's context has the id of its key.
type keyOfRequest struct{}

// caller says who makes a request.
func caller(r *http.Request) host.Caller {
	key, _ := r.Context().Value(keyOfRequest{}).(string)
	return host.Caller{Key: key, Address: r.RemoteAddr}
}
