package oidc

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/restante/restante/host"
)

// Provider signs people in by one OpenID provider. It is safe for concurrent use.
type Provider struct {
	config Config
	http   *http.Client
	now    func() time.Time
	known  atomic.Pointer[endpoints]
}

// endpoints are what the provider says of itself.
type endpoints struct {
	provider *oidc.Provider
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// Begun is a sign-in between Begin and Finish. It is kept where only the browser
// that began has it and can't read or change it, such as a sealed cookie.
type Begun struct {
	State string `json:"state"`
	Nonce string `json:"nonce"`
	// Verifier is the secret of PKCE.
	Verifier string    `json:"verifier"`
	Expires  time.Time `json:"expires"`
}

// BegunLife is how long somebody has to sign in at the provider.
const BegunLife = 10 * time.Minute

// New does not call the provider, which may be down: that is done when somebody
// signs in.
func New(c Config) (*Provider, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("sign in by OpenID Connect: %w", err)
	}
	if u, err := url.Parse(c.RedirectURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Fragment != "" {
		return nil, fmt.Errorf("sign in by OpenID Connect: redirect_url is %q; it must be a URL such as \"https://restante.example.edu/…\"", c.RedirectURL)
	}
	c.Title = cmp.Or(c.Title, "OpenID Connect")
	return &Provider{config: c, http: newClient(), now: time.Now}, nil
}

// Title is how people call the provider.
func (p *Provider) Title() string { return p.config.Title }

// Begin returns the URL at the provider to send the browser to, and what Finish
// needs when it comes back. It fails with an *Error.
func (p *Provider) Begin(ctx context.Context) (to string, b Begun, err error) {
	e, err := p.endpoints(ctx)
	if err != nil {
		return "", b, err
	}
	b = Begun{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Expires: p.now().Add(BegunLife)}
	return e.oauth.AuthCodeURL(b.State, oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier)), b, nil
}

// Finish returns who has signed in, from the query with which the provider sent
// the browser back. It fails with an *Error.
func (p *Provider) Finish(ctx context.Context, b Begun, query url.Values) (host.Identity, error) {
	const again = "This sign-in can't be finished here. Sign in again"
	if b.State == "" || !p.now().Before(b.Expires) {
		return host.Identity{}, refused("Signing in took too long, or began in another browser. Sign in again", nil)
	}
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(b.State)) != 1 {
		return host.Identity{}, refused(again, errors.New("the state is another"))
	}
	// RFC 9207: an answer that names another issuer is not for us.
	if iss := query.Get("iss"); iss != "" && iss != p.config.Issuer {
		return host.Identity{}, refused(again, fmt.Errorf("the answer is of the issuer %q", iss))
	}
	if code := query.Get("error"); code != "" {
		text := p.config.Title + " did not sign you in. Sign in again, or ask an admin"
		if code == "access_denied" {
			text = p.config.Title + " did not sign you in: it was refused or called off"
		}
		return host.Identity{}, refused(text, fmt.Errorf("the provider says %q: %q", code, query.Get("error_description")))
	}
	e, err := p.endpoints(ctx)
	if err != nil {
		return host.Identity{}, err
	}
	ctx = oidc.ClientContext(ctx, p.http)
	token, err := e.oauth.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(b.Verifier))
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response.StatusCode < 500 {
		return host.Identity{}, refused(again, fmt.Errorf("exchange the code: %w", err))
	}
	if err != nil {
		return host.Identity{}, p.unavailable(fmt.Errorf("exchange the code: %w", err))
	}
	return p.identify(ctx, e, token, b.Nonce)
}

// identify verifies the ID token and reads it.
func (p *Provider) identify(ctx context.Context, e *endpoints, token *oauth2.Token, nonce string) (id host.Identity, err error) {
	untrusted := func(cause error) error {
		return refused("What "+p.config.Title+" says of you can't be trusted. Sign in again, or ask an admin", cause)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := e.verifier.Verify(ctx, raw)
	if err != nil {
		return id, untrusted(fmt.Errorf("verify the ID token: %w", err))
	}
	if subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(nonce)) != 1 || nonce == "" {
		return id, untrusted(errors.New("the ID token has another nonce"))
	}
	if verified.AccessTokenHash != "" {
		if err := verified.VerifyAccessToken(token.AccessToken); err != nil {
			return id, untrusted(err)
		}
	}
	var of claims
	if err := verified.Claims(&of); err != nil {
		return id, untrusted(err)
	}
	if azp := of.text("azp"); azp != "" && azp != p.config.ClientID {
		return id, untrusted(fmt.Errorf("the ID token is for the client %q", azp))
	}
	if err := p.complete(ctx, e, token, verified.Subject, of); err != nil {
		return id, err
	}
	id = host.Identity{
		Issuer: p.config.Issuer, Subject: verified.Subject,
		Name: cmp.Or(of.name(), verified.Subject), FullName: of.text("name"), Role: p.config.role(of),
	}
	if id.Role == "" {
		return host.Identity{}, &Error{Kind: ErrNoRole, Text: p.config.Title + " knows you, but you have no role here. Ask an admin for one",
			Cause: fmt.Errorf("the claim %q of %q has no value with a role", p.config.RoleClaim, id.Name)}
	}
	return id, nil
}

// complete asks the provider for claims that the ID token is without: some say
// little in the token itself (OpenID Connect Core 1.0, section 5.4).
func (p *Provider) complete(ctx context.Context, e *endpoints, token *oauth2.Token, subject string, of claims) error {
	enough := of.name() != "" && (p.config.RoleClaim == "" || of.find(p.config.RoleClaim) != nil)
	if enough || e.provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := e.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return p.unavailable(fmt.Errorf("ask for more claims: %w", err))
	}
	var more claims
	if err := info.Claims(&more); err != nil {
		return p.unavailable(fmt.Errorf("ask for more claims: %w", err))
	}
	if info.Subject != subject { // section 5.3.2
		return refused("What "+p.config.Title+" says of you can't be trusted. Sign in again, or ask an admin",
			fmt.Errorf("the claims are of %q and not of %q", info.Subject, subject))
	}
	for name, value := range more {
		if _, there := of[name]; !there {
			of[name] = value
		}
	}
	return nil
}

func (p *Provider) unavailable(cause error) error {
	return &Error{Kind: ErrUnavailable, Text: p.config.Title + " can't be reached at the moment. Try again in a minute", Cause: cause}
}

// endpoints asks the provider where everything is, unless it is known already.
func (p *Provider) endpoints(ctx context.Context) (*endpoints, error) {
	if e := p.known.Load(); e != nil {
		return e, nil
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), p.config.Issuer)
	if err != nil {
		return nil, p.unavailable(fmt.Errorf("discover the provider: %w", err))
	}
	var also struct {
		Keys    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&also); err != nil {
		return nil, p.unavailable(fmt.Errorf("discover the provider: %w", err))
	}
	where := found.Endpoint()
	for _, u := range []string{where.AuthURL, where.TokenURL, also.Keys, found.UserInfoEndpoint()} {
		if u != "" && strings.HasPrefix(p.config.Issuer, "https:") && !strings.HasPrefix(u, "https:") {
			return nil, p.unavailable(fmt.Errorf("discover the provider: it would have %s called, which is not https", u))
		}
	}
	// Without a word of the provider it is the header (OpenID Connect Discovery
	// 1.0, section 3).
	where.AuthStyle = oauth2.AuthStyleInHeader
	if p.config.ClientSecret == "" || len(also.Methods) > 0 && !slices.Contains(also.Methods, "client_secret_basic") {
		where.AuthStyle = oauth2.AuthStyleInParams
	}
	e := &endpoints{
		provider: found,
		oauth: oauth2.Config{
			ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret,
			RedirectURL: p.config.RedirectURL, Scopes: p.config.scopes(), Endpoint: where,
		},
		verifier: found.Verifier(&oidc.Config{ClientID: p.config.ClientID, Now: func() time.Time { return p.now() }}),
	}
	p.known.Store(e)
	return e, nil
}
