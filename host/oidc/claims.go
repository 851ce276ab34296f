package oidc

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/restante/restante/host"
)

// claims are what a provider says of a person, by their names.
type claims map[string]json.RawMessage

// text returns a claim that is a string; else "".
func (c claims) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// name returns what the person can be called here; "" if there is nothing.
func (c claims) name() string {
	for _, claim := range []string{"preferred_username", "email"} {
		if name := strings.TrimSpace(c.text(claim)); host.CheckUserName(name) == nil {
			return name
		}
	}
	return ""
}

// find returns the claim of this name, or the one that the name leads to, with
// dots between the names of objects; nil if there is none.
func (c claims) find(name string) json.RawMessage {
	if value, ok := c[name]; ok {
		return value
	}
	for i, r := range name {
		if r != '.' {
			continue
		}
		var inner claims
		if json.Unmarshal(c[name[:i]], &inner) == nil {
			if value := inner.find(name[i+1:]); value != nil {
				return value
			}
		}
	}
	return nil
}

// values reads a claim that is a string, a list with strings, or an object,
// whose names count.
func values(claim json.RawMessage) []string {
	var one string
	if json.Unmarshal(claim, &one) == nil {
		return []string{one}
	}
	var list []any
	if json.Unmarshal(claim, &list) == nil {
		var all []string
		for _, v := range list {
			if s, ok := v.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	var object map[string]any
	_ = json.Unmarshal(claim, &object) // anything else has no values
	return slices.Collect(maps.Keys(object))
}

// role returns the role of a person, or "" if there is none.
func (c *Config) role(of claims) host.Role {
	var role host.Role
	for _, v := range values(of.find(c.RoleClaim)) {
		if r, ok := c.Roles[v]; ok && (role == "" || r.Allows(role)) {
			role = r
		}
	}
	if role == "" {
		return c.DefaultRole
	}
	return role
}
