package endpoint

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// checkURL refuses a URL that is none, that holds credentials, or that names an
// address which may not be connected to.
func (c Config) checkURL(setting, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || hasControl(text) {
		return wrong(setting, "must be a URL such as \"https://receiver.example/messages\"")
	}
	switch {
	case u.User != nil:
		return wrong(setting, "has a user in it, which could get into logs: use a block basic {}")
	case strings.Contains(text, "#"):
		return wrong(setting, "has a part after \"#\", which is never sent")
	}
	if err := c.gate(u).checkHost(u.Hostname()); err != nil {
		return wrong(setting, "can't be used: %w", err)
	}
	return nil
}

// gate is what guards the way to a URL.
func (c Config) gate(to *url.URL) gate {
	return gate{allowed: c.AllowPrivate, plain: to.Scheme == "http"}
}

// checkHost refuses what can be known of a host before its name is looked up.
func (g gate) checkHost(host string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		return g.check(a)
	}
	// Some systems and proxies take 127.1, 2130706433 or 0x7f000001 for addresses.
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	if strings.Trim(last, "0123456789.") == "" || strings.HasPrefix(strings.ToLower(last), "0x") {
		return fmt.Errorf("%q is neither an address nor a name", host)
	}
	return nil
}

// checkProxied refuses what a proxy would find on its own machine.
func (g gate) checkProxied(host string) error {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return fmt.Errorf("%q is the proxy itself", host)
	}
	return nil
}

// below returns the URL that a plugin's reference names below base: a relative path,
// a query, or both. A slash in front of the path is as good as none. The names of
// the base's own query win.
func below(base *url.URL, reference string, more url.Values) (*url.URL, error) {
	r, err := url.Parse(reference)
	if err != nil || hasControl(reference) {
		return nil, errors.New("it is malformed")
	}
	if r.Scheme != "" || r.Host != "" || r.User != nil || r.Opaque != "" || strings.HasPrefix(reference, "//") {
		return nil, errors.New("it must be a path below the configured URL, without a scheme or host")
	}
	if strings.Contains(reference, "#") {
		return nil, errors.New("it has a part after \"#\", which is never sent")
	}
	to := *base
	if path := strings.TrimPrefix(r.EscapedPath(), "/"); path != "" {
		if err := checkSegments(path); err != nil {
			return nil, err
		}
		escaped := strings.TrimSuffix(base.EscapedPath(), "/") + "/" + path
		if to.Path, err = url.PathUnescape(escaped); err != nil {
			return nil, errors.New("it is malformed")
		}
		to.RawPath = escaped
	}
	query, err := url.ParseQuery(r.RawQuery)
	if err != nil {
		return nil, errors.New("its query is malformed")
	}
	for name, values := range more {
		query[name] = append(query[name], values...)
	}
	for name := range base.Query() {
		delete(query, name)
	}
	to.RawQuery = strings.Trim(base.RawQuery+"&"+query.Encode(), "&")
	return &to, nil
}

// checkSegments refuses a path that some server might take for one outside of its
// prefix, however often it undoes the escapes.
func checkSegments(path string) error {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if segment == "" && i < len(segments)-1 {
			return errors.New("it has an empty part, \"//\"")
		}
		for {
			name, _, _ := strings.Cut(segment, ";") // some servers drop what follows
			if name == "." || name == ".." {
				return fmt.Errorf("it has %q in it, which could lead out of the configured URL", name)
			}
			if strings.ContainsAny(segment, `/\`) || hasControl(segment) {
				return errors.New("it has a slash, a backslash or a control character inside of a part")
			}
			inner, err := url.PathUnescape(segment)
			if err != nil || inner == segment {
				break
			}
			segment = inner
		}
	}
	return nil
}

// shownURL is a URL for people: the values of its query may be secrets, or be about
// somebody, and are left out.
func shownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "(not a URL)"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if u.RawQuery == "" {
		return shown.String()
	}
	names := strings.Split(u.RawQuery, "&")
	for i, pair := range names {
		name, _, valued := strings.Cut(pair, "=")
		if names[i] = name; valued {
			names[i] += "=…"
		} else {
			names[i] = "…" // it may be all secret
		}
	}
	return shown.String() + "?" + strings.Join(names, "&")
}
