package endpoint

import (
	"strings"

	"golang.org/x/net/http/httpguts"
)

// checkHeader refuses headers that are not the operator's to set.
func (c Config) checkHeader() error {
	for name, value := range c.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return wrong("headers", "has %q, which can't be the name of a header", name)
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return wrong("headers", "has a value of %s that can't be sent", name)
		}
		if reason := ours(name); reason != "" {
			return wrong("headers", "has %s, which %s", name, reason)
		}
	}
	return nil
}

func (c Config) checkCredentials() error {
	ways := 0
	for _, set := range []bool{c.Basic != nil, c.Bearer != "", c.OAuth2 != nil, hasHeader(c.Header, "Authorization")} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		return wrong("bearer", "basic, oauth2 and the header Authorization exclude one another: set one of them")
	}
	if b := c.Basic; b != nil && (b.User == "" || strings.Contains(b.User, ":") || hasControl(b.User+b.Password)) {
		return wrong("basic", "needs a user without \":\", and neither that nor the password may have control characters")
	}
	if c.Bearer != "" && (!httpguts.ValidHeaderFieldValue(c.Bearer) || strings.TrimSpace(c.Bearer) != c.Bearer) {
		return wrong("bearer", "can't be sent: it has spaces around it, or control characters")
	}
	o := c.OAuth2
	if o == nil {
		return nil
	}
	if err := c.checkURL("oauth2.token_url", o.TokenURL); err != nil {
		return err
	}
	if o.ClientID == "" {
		return wrong("oauth2.client_id", "is empty")
	}
	if o.ClientSecret == "" {
		return wrong("oauth2.client_secret", "is empty")
	}
	return nil
}

func hasHeader(header map[string]string, name string) bool {
	for n := range header {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
