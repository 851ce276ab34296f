package admin

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/restante/restante/host"
)

// auditPage lists who did what.
type auditPage struct {
	frame
	// Group is what is listed alone; empty for everything.
	Group   host.GroupName
	Entries []host.ListedAudit
	Older   string
	Newer   bool
}

// auditLength is how many entries a page has.
const auditLength = 50

// audit answers GET /admin/audit.
func (a *Admin) audit(v *visit) error {
	query := v.r.URL.Query()
	p := auditPage{Group: host.GroupName(query.Get("group"))}
	before, err := v.number("before")
	if err != nil {
		return err
	}
	if p.Entries, err = a.Audit.List(v.ctx(), p.Group, before, auditLength+1); err != nil {
		return err
	}
	p.Newer = before > 0
	if len(p.Entries) > auditLength {
		p.Entries = p.Entries[:auditLength]
		query.Set("before", strconv.FormatUint(p.Entries[auditLength-1].Number, 10))
		p.Older = "?" + query.Encode()
	}
	v.frame(&p.frame, "Audit", "audit")
	return v.show("audit", p)
}

// exportAudit answers GET /admin/audit/export: every entry, newest first, as
// NDJSON.
func (a *Admin) exportAudit(v *visit) error {
	if err := v.audit("audit log exported", "", "", ""); err != nil {
		return err
	}
	const step = 500
	page, err := a.Audit.List(v.ctx(), "", 0, step)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", `attachment; filename="restante-audit.ndjson"`)
	out := json.NewEncoder(v.w)
	for len(page) > 0 {
		for _, e := range page {
			if out.Encode(e) != nil {
				return nil // the browser has gone
			}
		}
		if page, err = a.Audit.List(v.ctx(), "", page[len(page)-1].Number, step); err != nil {
			// The status has left; cutting the connection off says that it is not
			// whole.
			a.Log.Error("audit log not exported to the end", "error", err)
			panic(http.ErrAbortHandler)
		}
	}
	return nil
}
