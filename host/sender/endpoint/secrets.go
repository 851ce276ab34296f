package endpoint

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// secrets are texts that must not get into what people and logs see, such as an
// answer that quotes our own headers.
type secrets []string

const (
	hidden = "[hidden]"
	// shortest is the length from which on a text is hidden: anything shorter would
	// be found all over an answer.
	shortest = 4
)

// newSecrets returns these, the longest first, and the forms that some of them have
// in a URL.
func newSecrets(all ...string) secrets {
	var s secrets
	for _, text := range all {
		if len(text) >= shortest {
			s = append(s, text, url.QueryEscape(text), url.PathEscape(text))
		}
	}
	slices.SortFunc(s, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	return slices.Compact(s)
}

// secrets are all that is in the configuration. Whatever the operator puts into a
// header or a query may be one, but for headers that never are.
func (c Config) secrets() []string {
	all := []string{c.Bearer}
	all = append(all, c.Secrets...)
	if b := c.Basic; b != nil {
		all = append(all, b.Password, base64.StdEncoding.EncodeToString([]byte(b.User+":"+b.Password)))
	}
	if o := c.OAuth2; o != nil {
		all = append(all, o.ClientSecret,
			base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(o.ClientID)+":"+url.QueryEscape(o.ClientSecret))))
		all = append(all, queryValues(o.TokenURL)...)
	}
	for name, value := range c.Header {
		switch n := plain(name); {
		case n == "user-agent", strings.HasPrefix(n, "accept"), strings.HasPrefix(n, "content-"):
		default:
			all = append(all, value)
		}
	}
	if u, err := url.Parse(c.Proxy); err == nil && u.User != nil {
		password, _ := u.User.Password()
		all = append(all, password, base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	return append(all, queryValues(c.URL)...)
}

func queryValues(text string) []string {
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	var all []string
	for _, values := range u.Query() {
		all = append(all, values...)
	}
	return all
}

// hide returns the text without the secrets.
func (s secrets) hide(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	return text
}

// longest is the length of the longest secret.
func (s secrets) longest() int {
	if len(s) == 0 {
		return 0
	}
	return len(s[0])
}

// cut returns at most the first limit bytes of the body without the secrets. One
// that begins before the limit is found if the body has longest() bytes more.
func (s secrets) cut(body []byte, limit int) []byte {
	var kept []byte
	for at := 0; at < min(len(body), limit); {
		n := s.at(body[at:])
		if n > 0 {
			kept, at = append(kept, hidden...), at+n
			continue
		}
		kept, at = append(kept, body[at]), at+1
	}
	return kept[:min(len(kept), limit)]
}

// at returns the length of the secret that the text begins with; 0 if there is none.
func (s secrets) at(text []byte) int {
	for _, secret := range s {
		if bytes.HasPrefix(text, []byte(secret)) {
			return len(secret)
		}
	}
	return 0
}
