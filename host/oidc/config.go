package oidc

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"github.com/restante/restante/host"
)

// Config is what an operator decides about a provider.
type Config struct {
	// Issuer is the URL of the provider, as it says it itself. It is https,
	// unless the provider is on this machine.
	Issuer string
	// ClientID and ClientSecret are what the provider knows us by. A public
	// client has no secret.
	ClientID, ClientSecret string
	// RedirectURL is where the provider sends the browser back to.
	RedirectURL string
	// Scopes are asked for; none stands for DefaultScopes. "openid" always is.
	Scopes []string
	// RoleClaim names the claim that Roles are chosen by. Where no claim has the
	// whole name, dots lead into objects: "realm_access.roles". The claim is a
	// string, a list of strings, or an object, of which the names count.
	RoleClaim string
	// Roles are by values of the claim. Of several the one that allows the most
	// counts.
	Roles map[string]host.Role
	// DefaultRole is of those that have none by their claim; empty refuses them.
	DefaultRole host.Role
	// Title is for the button: how people call the provider.
	Title string
}

// DefaultScopes are those of a Config that names none.
func DefaultScopes() []string { return []string{"openid", "profile", "email"} }

// Check returns an error that says what is wrong with c. It does not look at
// RedirectURL, which may not be known yet.
func (c *Config) Check() error {
	if err := checkURL("issuer", c.Issuer); err != nil {
		return err
	}
	if c.ClientID == "" {
		return errors.New("client_id is empty")
	}
	if c.DefaultRole != "" {
		if _, err := host.ParseRole(string(c.DefaultRole)); err != nil {
			return fmt.Errorf("default_role: %w", err)
		}
	}
	for value, role := range c.Roles {
		if _, err := host.ParseRole(string(role)); err != nil {
			return fmt.Errorf("roles, %q: %w", value, err)
		}
	}
	switch {
	case c.RoleClaim == "" && len(c.Roles) > 0:
		return errors.New("roles need role_claim, the name of the claim that they are chosen by")
	case c.RoleClaim != "" && len(c.Roles) == 0:
		return errors.New("role_claim needs roles, which say what role goes with which of its values")
	case c.RoleClaim == "" && c.DefaultRole == "":
		return errors.New("nobody would have a role: set role_claim and roles, or default_role")
	}
	return nil
}

// checkURL refuses what others on the network could read or change.
func checkURL(what, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s is %q; it must be a URL such as \"https://id.example.edu\"", what, text)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return fmt.Errorf("%s is %q; it must begin with https:// unless it is on this machine", what, text)
	}
	return nil
}

func loopback(name string) bool {
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

func (c *Config) scopes() []string {
	all := c.Scopes
	if len(all) == 0 {
		return DefaultScopes()
	}
	if !slices.Contains(all, "openid") {
		all = append([]string{"openid"}, all...)
	}
	return slices.Clone(all)
}
