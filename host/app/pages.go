package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/admin"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/oidc"
)

// newPages makes the pages that people look at.
func (d *daemon) newPages() (*admin.Admin, error) {
	c := admin.Config{
		Exchange:   d.parts.exchange,
		Keys:       d.parts.keys,
		Users:      d.parts.users,
		Inbox:      d.parts.inbox,
		Audit:      d.parts.audit,
		Activities: d.parts.activities,
		Plugins:    d.plugins,
		Sender:     d.sender,
		Log:        d.log.Named("admin"),
		URL:        d.outside,
		Diff:       formatter.Diff,
		Notice:     d.notice,
		Version:    d.version,
	}
	if d.parts.servers != nil {
		c.Cluster = d.parts.servers
	}
	if signIn := d.config.SignIn; signIn != nil {
		at := *signIn
		at.RedirectURL = cmp.Or(at.RedirectURL, d.outside()+"/admin/sign-in/callback")
		p, err := oidc.New(at)
		if err != nil {
			return nil, err
		}
		c.Provider = provider{p}
	}
	return admin.New(c)
}

// provider is an OpenID provider as the pages want one.
type provider struct{ *oidc.Provider }

func (p provider) Begin(ctx context.Context) (to string, begun []byte, err error) {
	to, b, err := p.Provider.Begin(ctx)
	if err != nil {
		return "", nil, err
	}
	begun, err = json.Marshal(b)
	return to, begun, err
}

func (p provider) Finish(ctx context.Context, begun []byte, query url.Values) (host.Identity, error) {
	var b oidc.Begun
	if err := json.Unmarshal(begun, &b); err != nil {
		return host.Identity{}, err
	}
	return p.Provider.Finish(ctx, b, query)
}

// outside is the address that people and pollers know the daemon by.
func (d *daemon) outside() string {
	return strings.TrimSuffix(cmp.Or(d.settled.current().URL, d.url), "/")
}

// site joins what machines call and what people look at.
func site(machines, pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", machines)
	mux.Handle(admin.Base, pages)
	mux.Handle("GET /{$}", http.RedirectHandler(admin.Base, http.StatusFound))
	return mux
}

// inviteFirst has the log say how the first admin signs in, until there is one.
func (d *daemon) inviteFirst(ctx context.Context) error {
	if d.config.Store.shared() {
		if mine, err := d.invitesFirst(ctx); err != nil || !mine {
			return err
		}
	}
	token, err := d.parts.users.FirstInvitation(ctx)
	if err != nil || token == "" {
		return err
	}
	d.log.Info("nobody can sign in yet; open this link once to become the first admin",
		"link", d.outside()+"/admin/invitation?token="+url.QueryEscape(token))
	return nil
}

// invitesFirst tells whether this daemon, of those that share the store, is the one to
// invite the first admin: each invitation would end the one before.
func (d *daemon) invitesFirst(ctx context.Context) (bool, error) {
	if users, err := d.parts.users.List(ctx); err != nil || len(users) > 0 {
		return false, err
	}
	_, err := d.leases.Take(ctx, "first-invitation", host.InvitationLife)
	if leased, ok := errors.AsType[*host.LeasedError](err); ok {
		d.log.Info("nobody can sign in yet; another daemon has the link for the first admin in its log", "daemon", leased.Holder,
			"otherwise", "restante users invite NAME --role admin")
		return false, nil
	}
	return err == nil, err
}
