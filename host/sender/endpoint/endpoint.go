package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/restante/restante/host"
)

// Endpoint sends batches to one receiver. It is safe for concurrent use.
type Endpoint struct {
	config    Config
	url       *url.URL
	signer    *host.Signer
	files     *files
	transport *http.Transport
	tokens    *tokens // nil without OAuth2
	secrets   secrets
	now       func() time.Time
	// bodyTimeout is how long an answer's body may take after its status.
	bodyTimeout time.Duration
}

// New reads the files that the configuration names and dials nothing. It fails with
// a *SettingError.
func New(c Config) (*Endpoint, error) { return newEndpoint(c, nil) }

// newEndpoint looks names up with the resolver; nil is the system's.
func newEndpoint(c Config, resolver *net.Resolver) (*Endpoint, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.MaxAnswer = cmp.Or(c.MaxAnswer, DefaultMaxAnswer)
	e := &Endpoint{config: c, secrets: newSecrets(c.secrets()...), now: time.Now, bodyTimeout: 10 * time.Second}
	var err error
	if e.url, err = url.Parse(c.URL); err != nil {
		return nil, err
	}
	if e.signer, err = c.signer(); err != nil {
		return nil, err
	}
	if e.files, err = c.readFiles(); err != nil {
		return nil, err
	}
	if e.transport, err = c.newTransport("url", e.url, e.files, resolver); err != nil {
		return nil, err
	}
	if c.OAuth2 != nil {
		if e.tokens, err = newTokens(c, e.files, resolver); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Close closes the connections that are kept for the next batch. It may be called
// again, and while a Send runs, which is not disturbed.
func (e *Endpoint) Close() {
	e.transport.CloseIdleConnections()
	if e.tokens != nil {
		e.tokens.transport.CloseIdleConnections()
	}
}

// Send sends a batch and returns what came of it, within Config.Timeout. It makes
// one attempt: a receiver may get the request twice only where it refused a token
// that had been good before.
func (e *Endpoint) Send(ctx context.Context, r Request) Answer {
	began := e.now()
	ctx, cancel := context.WithTimeoutCause(ctx, e.config.Timeout, errTimeout)
	defer cancel()
	a := e.attempt(ctx, r, began)
	a.Began, a.Took = began, e.now().Sub(began)
	return a
}

func (e *Endpoint) attempt(ctx context.Context, r Request, now time.Time) Answer {
	a := Answer{Method: cmp.Or(r.Method, e.config.Method, http.MethodPost), URL: shownURL(e.config.URL)}
	c, err := e.compose(r, now)
	if err != nil {
		a.fail(lasting("%v", err), e.secrets)
		return a
	}
	a.URL = shownURL(c.url.String())
	if b := e.config.Basic; b != nil {
		c.header.Set("Authorization", basic(b))
	}
	if e.config.Bearer != "" {
		c.header.Set("Authorization", "Bearer "+e.config.Bearer)
	}
	if e.tokens == nil {
		e.do(ctx, c, &a, e.secrets)
		return a
	}
	token, cached, err := e.tokens.get(ctx, e.now)
	if err == nil {
		e.doWith(ctx, c, &a, token)
		if a.Status != http.StatusUnauthorized {
			return a
		}
		e.tokens.forget(ctx, token)
		if !cached {
			return a // it was new: another would fare no better
		}
		if token, _, err = e.tokens.get(ctx, e.now); err == nil {
			e.doWith(ctx, c, &a, token)
			return a
		}
	}
	a = Answer{Method: a.Method, URL: a.URL}
	a.fail(err, e.secrets)
	return a
}

func (e *Endpoint) doWith(ctx context.Context, c *composed, a *Answer, token string) {
	c.header.Set("Authorization", "Bearer "+token)
	e.do(ctx, c, a, newSecrets(append(e.config.secrets(), token)...))
}

// do makes one HTTP request and fills in the answer.
func (e *Endpoint) do(ctx context.Context, c *composed, a *Answer, s secrets) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	*a = Answer{Method: a.Method, URL: a.URL}
	about := call{host: e.url.Host, timeout: e.config.Timeout, files: e.files, now: e.now}
	answer, err := e.transport.RoundTrip(c.request().WithContext(about.steps.watch(ctx)))
	a.Address = about.steps.remote()
	if err != nil {
		a.fail(about.explain(ctx, err), s)
		return
	}
	a.Status = answer.StatusCode
	a.Header = keptHeader(answer.Header, s)
	a.RetryAfter = retryAfter(answer.Header, e.now())
	defer time.AfterFunc(e.bodyTimeout, cancel).Stop()
	a.Body = readBody(answer.Body, s, e.config.MaxAnswer)
}

// fail sets why there is no status.
func (a *Answer) fail(err error, s secrets) {
	if t, ok := errors.AsType[*trouble](err); ok {
		a.Permanent, a.RetryAfter = t.permanent, t.retryAfter
	}
	a.Err = errors.New(s.hide(err.Error()))
}

// String is for logs, which must not have what is inside.
func (e *Endpoint) String() string { return fmt.Sprint(e.config) }
