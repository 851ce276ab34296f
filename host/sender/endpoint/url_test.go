package endpoint

import (
	"net/url"
	"strings"
	"testing"
)

func TestBelow(t *testing.T) {
	for name, c := range map[string]struct {
		base, reference, want, fault string
		query                        url.Values
	}{
		"nothing":                 {base: "https://a.example/api", want: "https://a.example/api"},
		"nothing below a root":    {base: "https://a.example", want: "https://a.example"},
		"a path":                  {base: "https://a.example/api", reference: "students", want: "https://a.example/api/students"},
		"a slash at both":         {base: "https://a.example/api/", reference: "/students/", want: "https://a.example/api/students/"},
		"a path below a root":     {base: "https://a.example", reference: "students/7", want: "https://a.example/students/7"},
		"escapes":                 {base: "https://a.example/api", reference: "a%20b%3Fc", want: "https://a.example/api/a%20b%3Fc"},
		"an escape of the base":   {base: "https://a.example/a%2Fb", reference: "c", want: "https://a.example/a%2Fb/c"},
		"dots in a name":          {base: "https://a.example/api", reference: "a..b/.c/...", want: "https://a.example/api/a..b/.c/..."},
		"a query":                 {base: "https://a.example/api", reference: "?b=2&a=1", want: "https://a.example/api?a=1&b=2"},
		"two queries":             {base: "https://a.example/api?key=k", reference: "x?b=2", want: "https://a.example/api/x?key=k&b=2"},
		"the operator's wins":     {base: "https://a.example/api?key=k", reference: "?key=mine&b=2", want: "https://a.example/api?key=k&b=2"},
		"more":                    {base: "https://a.example/api", reference: "?a=1", query: url.Values{"a": {"2"}, "b": {"&"}}, want: "https://a.example/api?a=1&a=2&b=%26"},
		"more, the operator's":    {base: "https://a.example/api?key=k", query: url.Values{"key": {"mine"}}, want: "https://a.example/api?key=k"},
		"another host":            {base: "https://a.example/api", reference: "https://b.example/", fault: "without a scheme or host"},
		"another host, relative":  {base: "https://a.example/api", reference: "//b.example/x", fault: "without a scheme or host"},
		"no host":                 {base: "https://a.example/api", reference: "///x", fault: "without a scheme or host"},
		"a user":                  {base: "https://a.example/api", reference: "//u:p@a.example/", fault: "without a scheme or host"},
		"a scheme":                {base: "https://a.example/api", reference: "file:x", fault: "without a scheme or host"},
		"a fragment":              {base: "https://a.example/api", reference: "x#y", fault: "#"},
		"up":                      {base: "https://a.example/api", reference: "../admin", fault: "lead out"},
		"up, later":               {base: "https://a.example/api", reference: "a/../../admin", fault: "lead out"},
		"up, at the end":          {base: "https://a.example/api", reference: "a/..", fault: "lead out"},
		"here":                    {base: "https://a.example/api", reference: "./a", fault: "lead out"},
		"up, escaped":             {base: "https://a.example/api", reference: "%2e%2E/admin", fault: "lead out"},
		"up, escaped twice":       {base: "https://a.example/api", reference: "%252e%252e/admin", fault: "lead out"},
		"up, with a parameter":    {base: "https://a.example/api", reference: "..;x=1/admin", fault: "lead out"},
		"a slash, escaped":        {base: "https://a.example/api", reference: "..%2fadmin", fault: "slash"},
		"a slash, escaped twice":  {base: "https://a.example/api", reference: "..%252fadmin", fault: "slash"},
		"a backslash":             {base: "https://a.example/api", reference: `..\admin`, fault: "slash"},
		"a backslash, escaped":    {base: "https://a.example/api", reference: "..%5Cadmin", fault: "slash"},
		"a backslash for a host":  {base: "https://a.example/api", reference: `/\b.example`, fault: "slash"},
		"two slashes":             {base: "https://a.example/api", reference: "a//b", fault: "empty part"},
		"a line break":            {base: "https://a.example/api", reference: "a\r\nb", fault: "malformed"},
		"a line break, escaped":   {base: "https://a.example/api", reference: "a%0d%0ab", fault: "control"},
		"zero, escaped":           {base: "https://a.example/api", reference: "a%00", fault: "control"},
		"a bad escape":            {base: "https://a.example/api", reference: "%zz", fault: "malformed"},
		"a bad query":             {base: "https://a.example/api", reference: "?a=%zz", fault: "query"},
		"a semicolon in a query":  {base: "https://a.example/api", reference: "?a=1;b=2", fault: "query"},
		"a percent sign, escaped": {base: "https://a.example/api", reference: "100%25", want: "https://a.example/api/100%25"},
	} {
		t.Run(name, func(t *testing.T) {
			base, err := url.Parse(c.base)
			if err != nil {
				t.Fatal(err)
			}
			got, err := below(base, c.reference, c.query)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("below(%s, %q) = %v, %v, want an error with %q", c.base, c.reference, got, err, c.fault)
				}
				return
			}
			if err != nil || got.String() != c.want {
				t.Errorf("below(%s, %q) = %v, %v, want %s", c.base, c.reference, got, err, c.want)
			}
		})
	}
}

func FuzzBelow(f *testing.F) {
	for _, seed := range []string{"", "a/b?c=d", "//h/..", "%2e%2e/", `\\h`, "a;b/..;/", "?%zz", "http:x", "%252f"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://a.example/api/v1?key=k")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, reference string) {
		got, err := below(base, reference, nil)
		if err != nil {
			return
		}
		again, err := url.Parse(got.String())
		if err != nil {
			t.Fatalf("below(%q) = %s, which is malformed: %v", reference, got, err)
		}
		if again.Scheme != "https" || again.Host != "a.example" || again.User != nil || again.Fragment != "" {
			t.Errorf("below(%q) = %s", reference, got)
		}
		if path := again.ResolveReference(again).Path; path != "/api/v1" && !strings.HasPrefix(path, "/api/v1/") {
			t.Errorf("below(%q) = %s", reference, got)
		}
		if again.Query().Get("key") != "k" || len(again.Query()["key"]) != 1 {
			t.Errorf("below(%q) = %s, without the operator's query", reference, got)
		}
	})
}

func TestShownURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://a.example/api?key=secret&b=&flag": "https://a.example/api?key=…&b=…&…",
		"https://u:p@a.example/x#f":                "https://a.example/x",
		"https://a.example":                        "https://a.example",
		"secret":                                   "(not a URL)",
	} {
		if got := shownURL(text); got != want {
			t.Errorf("shownURL(%s) = %s, want %s", text, got, want)
		}
	}
}
