package endpoint

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// renewBefore is how long before its end a token is not used any more.
const renewBefore = 10 * time.Second

// tokens gets tokens of a token server and keeps the last. It is safe for
// concurrent use.
type tokens struct {
	oauth     *clientcredentials.Config
	transport *http.Transport
	host      string
	timeout   time.Duration
	files     *files

	turn chan struct{} // who has put something in may use last
	last *oauth2.Token
}

func newTokens(c Config, files *files, resolver *net.Resolver) (*tokens, error) {
	to, err := url.Parse(c.OAuth2.TokenURL)
	if err != nil {
		return nil, err
	}
	transport, err := c.newTransport("oauth2.token_url", to, files, resolver)
	if err != nil {
		return nil, err
	}
	oauth := &clientcredentials.Config{
		ClientID: c.OAuth2.ClientID, ClientSecret: c.OAuth2.ClientSecret,
		TokenURL: c.OAuth2.TokenURL, Scopes: c.OAuth2.Scopes,
	}
	if c.OAuth2.Audience != "" {
		oauth.EndpointParams = url.Values{"audience": {c.OAuth2.Audience}}
	}
	return &tokens{
		oauth: oauth, transport: transport, host: to.Host, timeout: c.Timeout, files: files,
		turn: make(chan struct{}, 1),
	}, nil
}

// get returns a token, and whether it was there already. The error is a *trouble.
func (t *tokens) get(ctx context.Context, now func() time.Time) (token string, cached bool, err error) {
	about := &call{host: "the token server " + t.host, timeout: t.timeout, files: t.files, now: now}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", false, about.explainEnd(ctx)
	}
	if t.last != nil && (t.last.Expiry.IsZero() || now().Add(renewBefore).Before(t.last.Expiry)) {
		return t.last.AccessToken, true, nil
	}
	client := &http.Client{Transport: &bounded{t.transport, about}, CheckRedirect: unfollowed}
	fresh, err := t.oauth.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	if err != nil {
		return "", false, t.explain(ctx, about, err)
	}
	if !strings.EqualFold(fresh.Type(), "Bearer") || !httpguts.ValidHeaderFieldValue(fresh.AccessToken) {
		return "", false, lasting("%s gave a token that can't be sent as a bearer token", about.host)
	}
	t.last = fresh
	return fresh.AccessToken, false, nil
}

// forget drops a token that the receiver refuses, unless there is another already.
func (t *tokens) forget(ctx context.Context, token string) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return
	}
	if t.last != nil && t.last.AccessToken == token {
		t.last = nil
	}
}

// explain says why there is no token.
func (t *tokens) explain(ctx context.Context, about *call, err error) *trouble {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			return about.explain(ctx, outer.Err)
		}
		if ctx.Err() != nil {
			return about.explainEnd(ctx)
		}
		return passing("%s gave an answer without a token", about.host)
	}
	status := refused.Response.StatusCode
	said := statusText(status)
	if code := printable(refused.ErrorCode); code != "" {
		said += ", " + code
	}
	if description := printable(refused.ErrorDescription); description != "" {
		said += ": " + description
	}
	// A token server is held to the rules of a receiver; with an error in a 2xx it
	// means a 4xx.
	outcome := Answer{Status: status}.Outcome()
	if outcome == Retry {
		answer := passing("%s answered %s", about.host, said)
		answer.retryAfter = retryAfter(refused.Response.Header, about.now())
		return answer
	}
	return lasting("%s refuses a token, it answered %s; see whether token_url, client_id, client_secret, scopes and audience are right", about.host, said)
}

// printable is a text of a server for one line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	const longest = 200
	if runes := []rune(s); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return s
}

func unfollowed(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// bounded limits what is read of an answer, and notes the steps of the call.
type bounded struct {
	transport *http.Transport
	about     *call
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.transport.RoundTrip(r.WithContext(b.about.steps.watch(r.Context())))
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxBody), answer.Body}
	}
	return answer, err
}

// basic is the header Authorization of HTTP Basic.
func basic(b *Basic) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(b.User+":"+b.Password))
}
