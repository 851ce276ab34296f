package admin

import (
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// connectPage is what the people at the other end need.
type connectPage struct {
	queueFrame
	// URL is where the daemon is reached.
	URL  string
	Keys []keyLine
	// Created is the text of a key that was just made, shown this once.
	Created string
	Made    host.Key
}

// keyLine is an API key that allows something for the queue.
type keyLine struct {
	host.Key
	Expired bool
}

// Paths of the calls of a queue.
func (p connectPage) path(kind, call string) string {
	return p.URL + "/api/haplo-integration-messages/" + kind + "/" + string(p.Group) + call
}

// FetchURL and so on are where the queue's calls are.
func (p connectPage) FetchURL() string { return p.path("poll", "/fetch") }

// MarkURL is where a token is posted to.
func (p connectPage) MarkURL() string { return p.path("poll", "/mark") }

// AddURL is where messages are added.
func (p connectPage) AddURL() string { return p.path("add", "") }

// SendURL is where somebody asks for sending.
func (p connectPage) SendURL() string { return p.path("send", "") }

// Secret stands for the key in the examples.
func (p connectPage) Secret() string {
	if p.Created != "" {
		return p.Created
	}
	return "API_KEY"
}

// connect answers GET /admin/queues/{group}/connect.
func (a *Admin) connect(v *visit) error { return v.connectPage(connectPage{}) }

func (v *visit) connectPage(p connectPage) error {
	if err := v.queueFrame(&p.queueFrame, "connect"); err != nil {
		return err
	}
	p.URL = v.a.URL()
	now := time.Now()
	for _, k := range v.a.Keys.List() {
		if k.IsFor(p.Group) {
			p.Keys = append(p.Keys, keyLine{k, !k.Expires.IsZero() && !now.Before(k.Expires)})
		}
	}
	return v.show("connect", p)
}

// createKey answers POST /admin/queues/{group}/keys. The answer is the page
// itself, as the key is never shown again.
func (a *Admin) createKey(v *visit) error {
	q, err := v.group()
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	grant := host.Grant{Note: strings.TrimSpace(v.r.PostForm.Get("note")), Groups: []host.GroupName{q.Group}}
	if len(grant.Note) > 200 {
		return badf("The note is longer than 200 bytes.")
	}
	for _, text := range v.r.PostForm["allow"] {
		may, err := host.ParsePermission(text)
		if err != nil {
			return badf("%s.", err)
		}
		grant.Allow = append(grant.Allow, may)
	}
	if text := v.r.PostForm.Get("expires"); text != "" {
		if grant.Expires, err = parseTime(text); err != nil {
			return err
		}
	}
	if err := grant.Check(time.Now()); err != nil {
		return badf("%s.", err)
	}
	var p connectPage
	err = v.audited("API key created", q.Group, grant.Note, func() error {
		p.Created, p.Made, err = a.Keys.Create(v.ctx(), grant)
		return err
	})
	if err != nil {
		return err
	}
	return v.connectPage(p)
}

func (a *Admin) ownKey(v *visit) (host.Queue, host.Key, error) {
	q, err := v.group()
	if err != nil {
		return q, host.Key{}, err
	}
	id := v.r.PathValue("id")
	for _, k := range a.Keys.List() {
		if k.ID == id && k.IsFor(q.Group) {
			return q, k, nil
		}
	}
	return q, host.Key{}, errNotFound
}

// confirmRevoke answers GET /admin/queues/{group}/keys/{id}/revoke.
func (a *Admin) confirmRevoke(v *visit) error {
	q, k, err := a.ownKey(v)
	if err != nil {
		return err
	}
	p := confirmPage{
		Question: "Revoke the API key " + k.ID + "?",
		Text:     "Whoever uses it is refused from now on. It can't be undone; make a new key if they are to call again.",
		Action:   v.r.URL.Path, Button: "Revoke", Back: queuePath(q.Group) + "/connect", Danger: true,
	}
	if groups := len(k.Groups); groups > 1 || slices.Contains(k.Groups, host.EveryGroup) {
		p.Text = "It is for " + joined(k.Groups) + ", not this queue alone. " + p.Text
	}
	v.frame(&p.frame, p.Question, "overview")
	return v.show("confirm", p)
}

// revokeKey answers POST /admin/queues/{group}/keys/{id}/revoke.
func (a *Admin) revokeKey(v *visit) error {
	q, k, err := a.ownKey(v)
	if err != nil {
		return err
	}
	err = v.audited("API key revoked", q.Group, k.ID, func() error {
		_, err := a.Keys.Revoke(v.ctx(), k.ID)
		return err
	})
	if err != nil {
		return err
	}
	return v.redirect(queuePath(q.Group)+"/connect", "Key "+k.ID+" revoked.")
}
