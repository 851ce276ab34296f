package admin

import (
	"slices"
	"strconv"

	"github.com/restante/restante/host"
)

// errorsPage is the error inbox.
type errorsPage struct {
	frame
	// Open nobody has seen; Seen are acknowledged but not over; Done are those of
	// before.
	Open, Seen []host.ErrorReport
	Done       []host.ListedReport
	Older      string
	Newer      bool
}

// Reports are those that nobody has seen.
func (p errorsPage) Reports() []host.ErrorReport { return p.Open }

// errors answers GET /admin/errors.
func (a *Admin) errors(v *visit) error {
	var p errorsPage
	before, err := v.number("before")
	if err != nil {
		return err
	}
	all, err := v.open()
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Unacknowledged() {
			p.Open = append(p.Open, r)
		} else {
			p.Seen = append(p.Seen, r)
		}
	}
	if p.Done, err = a.Inbox.Done(v.ctx(), before, pageLength+1); err != nil {
		return err
	}
	p.Newer = before > 0
	if len(p.Done) > pageLength {
		p.Done = p.Done[:pageLength]
		p.Older = "?before=" + strconv.FormatUint(p.Done[pageLength-1].Number, 10)
	}
	v.frame(&p.frame, "Errors", "errors")
	return v.show("errors", p)
}

// reportPage is one report.
type reportPage struct {
	frame
	Report *host.ErrorReport
}

// errorReport answers GET /admin/errors/{id}.
func (a *Admin) errorReport(v *visit) error {
	r, err := v.report(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := v.audit("error looked at", r.Group, r.ID, ""); err != nil {
		return err
	}
	p := reportPage{Report: &r}
	v.frame(&p.frame, kindName(r.Kind), "errors")
	return v.show("report", p)
}

// report returns one report, done with or not.
func (v *visit) report(id string) (host.ErrorReport, error) {
	open, err := v.open()
	if err != nil {
		return host.ErrorReport{}, err
	}
	if i := slices.IndexFunc(open, func(r host.ErrorReport) bool { return r.ID == id }); i >= 0 {
		return open[i], nil
	}
	return v.a.Inbox.Report(v.ctx(), id)
}

// acknowledge answers POST /admin/errors/{id}/acknowledge.
func (a *Admin) acknowledge(v *visit) error {
	id := v.r.PathValue("id")
	err := v.audited("error acknowledged", "", id, func() error {
		_, err := a.Inbox.Acknowledge(v.ctx(), id, v.user.Name)
		return err
	})
	if err != nil {
		return err
	}
	return v.redirect("/admin/errors", "Acknowledged.")
}

// reopen answers POST /admin/errors/{id}/reopen.
func (a *Admin) reopen(v *visit) error {
	id := v.r.PathValue("id")
	err := v.audited("error reopened", "", id, func() error {
		_, err := a.Inbox.Reopen(v.ctx(), id)
		return err
	})
	if err != nil {
		return err
	}
	return v.redirect("/admin/errors", "Reopened.")
}
