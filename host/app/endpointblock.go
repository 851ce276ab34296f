package app

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/sender/endpoint"
)

// endpointBlock says where the batches of a send queue go.
type endpointBlock struct {
	URL          string            `hcl:"url"`
	Method       string            `hcl:"method,optional"`
	Headers      map[string]string `hcl:"headers,optional"`
	Bearer       *string           `hcl:"bearer"`
	Basic        *basicBlock       `hcl:"basic,block"`
	OAuth2       *oauth2Block      `hcl:"oauth2,block"`
	Secrets      []string          `hcl:"secrets,optional"`
	CA           string            `hcl:"ca,optional"`
	Certificate  string            `hcl:"certificate,optional"`
	Key          string            `hcl:"key,optional"`
	Proxy        string            `hcl:"proxy,optional"`
	Timeout      *string           `hcl:"timeout"`
	AllowPrivate []string          `hcl:"allow_private,optional"`
	Body         hcl.Body          `hcl:",body"`
}

type basicBlock struct {
	User     string   `hcl:"user"`
	Password string   `hcl:"password"`
	Body     hcl.Body `hcl:",body"`
}

type oauth2Block struct {
	TokenURL     string   `hcl:"token_url"`
	ClientID     string   `hcl:"client_id"`
	ClientSecret string   `hcl:"client_secret"`
	Scopes       []string `hcl:"scopes,optional"`
	Audience     string   `hcl:"audience,optional"`
	Body         hcl.Body `hcl:",body"`
}

// config returns what the block says. Files in it are relative to dir; they are read
// to see that they are there and good.
func (b *endpointBlock) config(q host.Queue, dir string) (endpoint.Config, hcl.Diagnostics) {
	c := endpoint.Config{
		URL: b.URL, Method: b.Method, Header: b.Headers, Secrets: b.Secrets, Proxy: b.Proxy,
		CAFile: inFolder(dir, b.CA), CertFile: inFolder(dir, b.Certificate), KeyFile: inFolder(dir, b.Key),
	}
	var faults hcl.Diagnostics
	bad := func(setting, format string, args ...any) {
		faults = append(faults, fault(b.place(setting), "Bad endpoint", fmt.Sprintf(format, args...)+"."))
	}
	if q.Method == host.Poll {
		bad("", "The queue %q has the method \"poll\", so its receiver fetches and nothing is sent: only a \"send\" queue has an endpoint", q.Group)
	}
	if b.Bearer != nil {
		if c.Bearer = *b.Bearer; c.Bearer == "" {
			bad("bearer", "bearer is empty")
		}
	}
	if b.Basic != nil {
		c.Basic = &endpoint.Basic{User: b.Basic.User, Password: b.Basic.Password}
	}
	if o := b.OAuth2; o != nil {
		c.OAuth2 = &endpoint.OAuth2{
			TokenURL: o.TokenURL, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Scopes: o.Scopes, Audience: o.Audience,
		}
	}
	if b.Timeout != nil {
		var err error
		if c.Timeout, err = time.ParseDuration(*b.Timeout); err != nil || c.Timeout <= 0 {
			bad("timeout", "timeout is %q, which is not a time such as \"60s\" or \"2m\"", *b.Timeout)
		}
	}
	for _, text := range b.AllowPrivate {
		p, err := parsePrefix(text)
		if err != nil {
			bad("allow_private", "allow_private has %q, which is not a range such as \"10.0.0.0/8\", or an address", text)
			continue
		}
		c.AllowPrivate = append(c.AllowPrivate, p)
	}
	if len(faults) > 0 {
		return c, faults
	}
	e, err := endpoint.New(c)
	if err != nil {
		setting := ""
		if s, ok := errors.AsType[*endpoint.SettingError](err); ok {
			setting = s.Setting
		}
		bad(setting, "%v", err)
		return c, faults
	}
	e.Close()
	return c, nil
}

// place is the line of a setting, or that of the block if it is not set.
func (b *endpointBlock) place(setting string) hcl.Range {
	body := b.Body
	if outer, inner, nested := strings.Cut(setting, "."); nested && outer == "oauth2" && b.OAuth2 != nil {
		body, setting = b.OAuth2.Body, inner
	} else if setting == "basic" && b.Basic != nil {
		body = b.Basic.Body
	}
	attributes, _ := body.JustAttributes() // the fault it finds with blocks is none
	if a, ok := attributes[setting]; ok {
		return a.Range
	}
	return body.MissingItemRange()
}

// inFolder is a path that is relative to dir, unless it is absolute or empty.
func inFolder(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// parsePrefix reads a range of addresses, or one address.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}
