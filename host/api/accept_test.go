package api_test

import (
	"strings"
	"testing"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/api"
)

func TestPrefersJSON(t *testing.T) {
	for _, test := range []struct {
		accept []string
		want   bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"*/*"}, false},
		{[]string{"application/json"}, true},
		{[]string{"Application/JSON;charset=utf-8"}, true},
		{[]string{"application/*"}, true},
		{[]string{"text/plain"}, false},
		{[]string{"text/html"}, false},
		{[]string{"application/json, text/plain"}, false},
		{[]string{"application/json, text/plain, */*"}, false},
		{[]string{"application/json, */*"}, false},
		{[]string{"application/json, */*;q=0.8"}, true},
		{[]string{"application/json;q=0.9, text/plain;q=0.8"}, true},
		{[]string{"application/json;q=0.8, text/plain;q=0.9"}, false},
		{[]string{"application/json;q=0, */*"}, false},
		{[]string{"text/plain;q=0, */*"}, true},
		{[]string{"text/*;q=0.1", "application/json;q=0.2"}, true},
		{[]string{"application/*;q=1, application/json;q=0.1, text/*;q=0.5"}, false},
		{[]string{"application/json;q=2"}, false},
		{[]string{"application/json;q=NaN"}, false},
		{[]string{"application/json;q=x"}, false},
		{[]string{`text/html;a="x,application/json"`}, false},
		{[]string{`text/html;a="\",", application/json`}, true},
		{[]string{"text/html, application/json;q=0.5"}, true},
	} {
		if got := api.PrefersJSON(test.accept); got != test.want {
			t.Errorf("prefersJSON(%q) = %v, want %v", test.accept, got, test.want)
		}
	}
}

func FuzzPrefersJSON(f *testing.F) {
	f.Add("application/json;q=0.9, text/plain")
	f.Add(`a/b;c="\`)
	f.Fuzz(func(t *testing.T, accept string) {
		got := api.PrefersJSON([]string{accept})
		if got && !strings.Contains(accept, "/") {
			t.Errorf("prefersJSON(%q) = true", accept)
		}
		// A range that matches neither more than the others changes nothing.
		if more := api.PrefersJSON([]string{accept, "image/png"}); more != got {
			t.Errorf("prefersJSON(%q) = %v, and %v with another range", accept, got, more)
		}
	})
}

func FuzzFetchQuery(f *testing.F) {
	f.Add("limit=16&wait=30")
	f.Add("limit=%31;&wait=")
	f.Fuzz(func(t *testing.T, query string) {
		limit, wait, err := api.FetchQuery(query)
		if err == nil && (limit < 1 || limit > host.MaxFetch || wait < 0 || wait > api.LongestWait) {
			t.Errorf("fetchQuery(%q) = %d, %v", query, limit, wait)
		}
	})
}
