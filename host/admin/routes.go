package admin

import (
	"net/http"

	"github.com/restante/restante/host"
)

// route is one method of one path.
type route struct {
	pattern string
	// role is what a user needs at least; empty for what needs no sign-in.
	role   host.Role
	handle func(*visit) error
}

// routes lists everything that is served.
func (a *Admin) routes() []route {
	const q = "/admin/queues/{group}"
	return []route{
		{"GET /admin/{$}", host.Viewer, a.overview},
		{"GET " + q, host.Viewer, a.queue},
		{"GET " + q + "/deliveries", host.Viewer, a.deliveries},
		{"GET " + q + "/deliveries/{id}", host.Viewer, a.delivery},
		{"GET " + q + "/deliveries/{id}/body", host.Viewer, a.deliveryBody},
		{"GET " + q + "/messages/{id}", host.Viewer, a.message},
		{"POST " + q + "/search", host.Viewer, a.search},
		{"GET " + q + "/move", host.Operator, a.confirmMove},
		{"POST " + q + "/move", host.Operator, a.move},
		{"GET " + q + "/add", host.Operator, a.addForm},
		{"POST " + q + "/add", host.Operator, a.add},
		{"GET " + q + "/connect", host.Viewer, a.connect},
		{"GET " + q + "/sending", host.Viewer, a.sending},
		{"GET " + q + "/sending/test", host.Operator, a.testForm},
		{"POST " + q + "/sending/test", host.Operator, a.test},
		{"GET " + q + "/sending/{action}", host.Operator, a.confirmSending},
		{"POST " + q + "/sending/{action}", host.Operator, a.changeSending},
		{"POST " + q + "/keys", host.Admin, a.createKey},
		{"GET " + q + "/keys/{id}/revoke", host.Admin, a.confirmRevoke},
		{"POST " + q + "/keys/{id}/revoke", host.Admin, a.revokeKey},

		{"GET /admin/jobs/{id}", host.Viewer, a.job},
		{"POST /admin/jobs/{id}/stop", host.Viewer, a.stopJob},

		{"GET /admin/plugins", host.Viewer, a.plugins},
		{"GET /admin/plugins/{file}", host.Viewer, a.plugin},
		{"GET /admin/plugins/{file}/{action}", host.Operator, a.confirmPlugin},
		{"POST /admin/plugins/{file}/{action}", host.Operator, a.changePlugin},

		{clusterPattern, host.Viewer, a.cluster},
		{"GET /admin/cluster/nodes/{node}/remove", host.Admin, a.confirmRemoveNode},
		{"POST /admin/cluster/nodes/{node}/remove", host.Admin, a.removeNode},

		{"GET /admin/errors", host.Viewer, a.errors},
		{"GET /admin/errors/{id}", host.Viewer, a.errorReport},
		{"POST /admin/errors/{id}/acknowledge", host.Operator, a.acknowledge},
		{"POST /admin/errors/{id}/reopen", host.Operator, a.reopen},

		{"GET /admin/audit", host.Admin, a.audit},
		{"GET /admin/audit/export", host.Admin, a.exportAudit},

		{"GET /admin/users", host.Admin, a.users},
		{"POST /admin/users", host.Admin, a.invite},
		{"POST /admin/users/{action}", host.Admin, a.changeUser},

		{"GET /admin/account", host.Viewer, a.account},
		{"POST /admin/account/password", host.Viewer, a.changePassword},
		{"POST /admin/account/sign-out-everywhere", host.Viewer, a.signOutEverywhere},
		{"POST /admin/sign-out", host.Viewer, a.signOut},

		{"GET /admin/sign-in", "", a.signInForm},
		{"POST /admin/sign-in", "", a.signIn},
		{"GET /admin/sign-in/other", "", a.beginOther},
		{"GET /admin/sign-in/callback", "", a.finishOther},
		{"GET /admin/invitation", "", a.invitation},
		{"POST /admin/invitation", "", a.accept},

		{"GET /admin/static/{file}", "", a.static},
		{"/", "", func(*visit) error { return errNotFound }},
	}
}

func (a *Admin) newMux() http.Handler {
	mux := http.NewServeMux()
	for _, t := range a.routes() {
		mux.HandleFunc(t.pattern, func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, t) })
	}
	return mux
}

// serve finds out who asks, and only then does the work.
func (a *Admin) serve(w http.ResponseWriter, r *http.Request, t route) {
	v := &visit{a: a, w: w, r: r, outage: t.pattern == clusterPattern}
	err := a.cross.Check(r)
	if err != nil {
		err = errCrossOrigin
	} else if err = v.recognize(t.role); err == nil {
		err = t.handle(v)
	}
	if err != nil {
		v.fail(err)
	}
}
