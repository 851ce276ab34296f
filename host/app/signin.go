package app

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/oidc"
)

// signInBlock says how people sign in other than with a password.
type signInBlock struct {
	Kind         string            `hcl:"kind,label"`
	Issuer       string            `hcl:"issuer"`
	ClientID     string            `hcl:"client_id"`
	ClientSecret string            `hcl:"client_secret,optional"`
	RedirectURL  string            `hcl:"redirect_url,optional"`
	Scopes       []string          `hcl:"scopes,optional"`
	RoleClaim    string            `hcl:"role_claim,optional"`
	Roles        map[string]string `hcl:"roles,optional"`
	DefaultRole  string            `hcl:"default_role,optional"`
	Title        string            `hcl:"title,optional"`
	Body         hcl.Body          `hcl:",body"`
}

// applySignIn takes over where people reach the daemon, and how they sign in.
func (f *file) applySignIn(c *Config, scope *hcl.EvalContext) (faults hcl.Diagnostics) {
	if f.URL != nil {
		wrong := gohcl.DecodeExpression(f.URL.Expr, scope, &c.URL)
		if !wrong.HasErrors() {
			if err := checkSite(c.URL); err != nil {
				wrong = append(wrong, fault(f.URL.Range, "Bad URL", fmt.Sprintf("url is %q; %v.", c.URL, err)))
			}
		}
		faults = append(faults, wrong...)
		c.URL = strings.TrimSuffix(c.URL, "/")
	}
	for _, b := range f.SignIn {
		place := b.Body.MissingItemRange()
		if b.Kind != "oidc" {
			faults = append(faults, fault(place, "Bad sign_in", fmt.Sprintf("There is no sign_in %q; use \"oidc\", for OpenID Connect.", b.Kind)))
			continue
		}
		if c.SignIn != nil {
			faults = append(faults, fault(place, "Duplicate sign_in", "There is another sign_in block; one provider is all."))
			continue
		}
		c.SignIn = b.config()
		if err := c.SignIn.Check(); err != nil {
			faults = append(faults, fault(place, "Bad sign_in", err.Error()+"."))
		}
		if err := b.checkRedirect(c.URL); err != nil {
			faults = append(faults, fault(place, "Bad sign_in", err.Error()+"."))
		}
	}
	return faults
}

func (b *signInBlock) config() *oidc.Config {
	c := &oidc.Config{
		Issuer: b.Issuer, ClientID: b.ClientID, ClientSecret: b.ClientSecret, RedirectURL: b.RedirectURL,
		Scopes: b.Scopes, RoleClaim: b.RoleClaim, DefaultRole: host.Role(b.DefaultRole), Title: b.Title,
	}
	if len(b.Roles) > 0 {
		c.Roles = make(map[string]host.Role, len(b.Roles))
		for value, role := range b.Roles {
			c.Roles[value] = host.Role(role)
		}
	}
	return c
}

// checkRedirect refuses what the provider could not send a browser back to.
func (b *signInBlock) checkRedirect(site string) error {
	if b.RedirectURL == "" && site == "" {
		return fmt.Errorf("the provider has to know where to send people back to: set url, where they reach the daemon, or redirect_url")
	}
	if b.RedirectURL == "" {
		return nil
	}
	if u, err := url.Parse(b.RedirectURL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Fragment != "" {
		return fmt.Errorf("redirect_url is %q; it must be a URL that begins with https://", b.RedirectURL)
	}
	return nil
}

// checkSite refuses all but a scheme and a host.
func checkSite(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		strings.TrimSuffix(u.Path, "/") != "" || strings.ContainsAny(text, "?#") {
		return fmt.Errorf("it must be a URL without a path, such as \"https://restante.example.edu\"")
	}
	return nil
}
