package admin

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// visit is one request and who makes it.
type visit struct {
	a       *Admin
	w       http.ResponseWriter
	r       *http.Request
	user    host.User
	session host.Session
	// reports are those of the error inbox, once they were asked for.
	reports []host.ErrorReport
	read    bool
	// outage says that the page is for when the store can't be read, and cut that it
	// can't.
	outage, cut bool
}

// open returns the reports of the error inbox that are not done with.
func (v *visit) open() (all []host.ErrorReport, err error) {
	if !v.read {
		if v.reports, err = v.a.Inbox.Open(v.ctx()); err != nil {
			return nil, err
		}
		v.read = true
	}
	return v.reports, nil
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// Names of cookies.
const (
	sessionCookie = "restante-session"
	begunCookie   = "restante-sign-in"
	noticeCookie  = "restante-notice"
)

// address is where the request comes from. A proxy on this machine is believed to
// say so in X-Forwarded-For, whose last element is its own. It is empty if another
// proxy is in front, whose address would stand for everybody.
func (v *visit) address() string {
	remote, err := netip.ParseAddrPort(v.r.RemoteAddr)
	if err == nil && remote.Addr().Unmap().IsLoopback() {
		if said := v.r.Header.Values("X-Forwarded-For"); len(said) > 0 {
			all := strings.Split(said[len(said)-1], ",")
			if a, err := netip.ParseAddr(strings.TrimSpace(all[len(all)-1])); err == nil {
				return a.WithZone("").String() // a zone can be any text
			}
		}
	}
	if v.r.TLS == nil && v.a.secure(v.r) {
		return ""
	}
	return v.r.RemoteAddr
}

// setCookie sets a cookie for the pages alone, until the browser is closed if age
// is 0, and deletes it if age is negative.
func (v *visit) setCookie(name, value string, age time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: Base, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(age / time.Second)}
	if v.a.secure(v.r) {
		// The browser then takes it over TLS alone, and for this very host.
		c.Name, c.Path, c.Secure = "__Host-"+name, "/", true
	}
	http.SetCookie(v.w, c)
}

func (v *visit) cookie(name string) string {
	if v.a.secure(v.r) {
		name = "__Host-" + name
	}
	c, err := v.r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// recognize finds out who is signed in, and refuses who may not do what needs the
// role.
func (v *visit) recognize(role host.Role) error {
	if token := v.cookie(sessionCookie); token != "" {
		session, user, err := v.whose(token)
		switch {
		case err == nil:
			v.session, v.user = session, user
		case !errors.Is(err, host.ErrNoSession):
			return err
		}
	}
	switch {
	case role == "":
		return nil
	case v.user.Name == "":
		return errSignIn
	case !v.user.Role.Allows(role):
		return errRole
	}
	return nil
}

func (v *visit) group() (host.Queue, error) {
	return v.a.Exchange.Queues.Queue(host.GroupName(v.r.PathValue("group")))
}

// audit writes down what is about to be done or shown.
func (v *visit) audit(action string, g host.GroupName, subject, details string) error {
	return v.a.Audit.Record(v.ctx(), host.AuditEntry{
		Who: v.user.Name, From: v.address(), Action: action, Group: g, Subject: subject, Details: details,
	})
}

// audited writes down what is about to be done, does it, and writes down if that
// failed.
func (v *visit) audited(action string, g host.GroupName, subject string, do func() error) error {
	if err := v.audit(action, g, subject, ""); err != nil {
		return err
	}
	err := do()
	if err != nil {
		_ = v.audit(action+": not done", g, subject, err.Error())
	}
	return err
}

// redirect sends the browser on after a change, with a notice for the next page.
func (v *visit) redirect(to, notice string) error {
	if notice = short(notice, maxNotice); notice != "" {
		v.setCookie(noticeCookie, base64.RawURLEncoding.EncodeToString([]byte(notice)), time.Minute)
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// maxNotice is the longest notice in bytes, beside the mark of its end: browsers
// keep no cookie that is much larger.
const maxNotice = 400

// notice returns the notice for this page, once.
func (v *visit) notice() string {
	value := v.cookie(noticeCookie)
	if value == "" {
		return ""
	}
	v.setCookie(noticeCookie, "", -1)
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	return short(string(text), maxNotice)
}

// form reads a form of at most maxForm.
func (v *visit) form() error { return v.formUpTo(maxForm) }

func (v *visit) formUpTo(most int64) error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, most)
	if err := v.r.ParseForm(); err != nil {
		if _, big := errors.AsType[*http.MaxBytesError](err); big {
			return badf("The form is too large.")
		}
		return badf("The form could not be read.")
	}
	return nil
}

// number reads a number from the query; 0 if there is none.
func (v *visit) number(name string) (uint64, error) {
	text := v.r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, badf("%q is not a number for %q.", text, name)
	}
	return n, nil
}

func queuePath(g host.GroupName) string { return "/admin/queues/" + url.PathEscape(string(g)) }
