package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/api"
)

func TestDefaultFormat(t *testing.T) {
	s := start(t)
	s.fill(t, "student",
		`{"name":"Ada","marks":[1,2.50,1e400],"empty":{},"none":[]}`,
		` {"datetime":"1843-01-01","id":"own","z":1,"a":"\u00e9/é<&>"} `,
		`"just text"`, `12345678901234567890.10`, `[true,false,null]`)
	a := s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.student})
	if a.status != http.StatusOK {
		t.Fatalf("fetch = %d %s", a.status, a.body)
	}
	token := a.header.Get("Restante-Token")
	const file = "testdata/default.json"
	if *update {
		if err := os.WriteFile(file, []byte(strings.Replace(a.body, token, "TOKEN", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(string(golden), "TOKEN", token, 1); a.body != want {
		t.Errorf("document =\n%s\nwant\n%s", a.body, want)
	}
	digest := sha256.Sum256([]byte(a.body))
	sum := base64.StdEncoding.EncodeToString(digest[:])
	for name, want := range map[string]string{
		"Content-Type":           "application/json",
		"Content-Disposition":    "attachment; filename=student.json",
		"Restante-Count":         "5",
		"Restante-Unread":        "5",
		"Content-Digest":         "sha-256=:" + sum + ":",
		"ETag":                   `"` + sum + `"`,
		"Content-Length":         strconv.Itoa(len(a.body)),
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestDefaultDocumentIsAsDescribed(t *testing.T) {
	doc, err := described()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	for _, messages := range [][]string{nil, {`{"a":1}`}, {`7`, `"x"`}} {
		s.fill(t, "student", messages...)
		a := s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.student})
		var value any = decode(t, a.body)
		if err := doc.Components.Schemas["DefaultDocument"].Value.VisitJSON(value); err != nil {
			t.Errorf("%s: %v", a.body, err)
		}
	}
}

func TestFetchChangesNothing(t *testing.T) {
	s := start(t)
	s.fill(t, "student", `1`, `2`, `3`)
	fetch := call{method: "GET", path: "/poll/student/fetch?limit=2&_=cachebuster", key: s.student}
	first, second := s.do(t, fetch), s.do(t, fetch)
	if first.body != second.body {
		t.Errorf("the second fetch =\n%s\nwant the first again\n%s", second.body, first.body)
	}
	if first.header.Get("Restante-Delivery") != second.header.Get("Restante-Delivery") {
		t.Error("the same bytes are two deliveries")
	}
	if got := first.header.Get("Restante-Count") + " of " + first.header.Get("Restante-Unread"); got != "2 of 3" {
		t.Errorf("count = %s, want 2 of 3", got)
	}
}

func TestIfNoneMatch(t *testing.T) {
	s := start(t)
	s.fill(t, "student", `1`)
	fetch := call{method: "GET", path: "/poll/student/fetch", key: s.student}
	tag := s.do(t, fetch).header.Get("ETag")
	for match, want := range map[string]int{
		tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304,
		`"x"`: 200, `"a,` + strings.Trim(tag, `"`) + `"`: 200, "": 200,
	} {
		fetch.header = map[string]string{"If-None-Match": match}
		a := s.do(t, fetch)
		if a.status != want {
			t.Errorf("If-None-Match: %s = %d, want %d", match, a.status, want)
		}
		for _, name := range []string{"Restante-Token", "Restante-Count", "Restante-Unread", "Restante-Delivery", "ETag", "X-Request-Id"} {
			if a.header.Get(name) == "" {
				t.Errorf("If-None-Match: %s: there is no %s", match, name)
			}
		}
		if want == 304 && a.body != "" {
			t.Errorf("304 with the body %q", a.body)
		}
	}
}

func TestFormattedDocument(t *testing.T) {
	s := start(t)
	s.fill(t, "formatted", `1`)
	for _, test := range []struct{ filename, disposition string }{
		{"", "attachment"},
		{"records.xml", "attachment; filename=records.xml"},
		{`two words; "x".xml`, `attachment; filename="two words; \"x\".xml"`},
		{"Zürich 東京.xml", "attachment; filename*=utf-8''Z%C3%BCrich%20%E6%9D%B1%E4%BA%AC.xml"},
	} {
		s.formatters.set(func(b host.Batch) (host.Document, error) {
			return host.Document{ContentType: `application/xml; charset="utf-8"`, Filename: test.filename, Body: []byte("<t>" + b.Token + "</t>\x00\xff")}, nil
		})
		a := s.do(t, call{method: "GET", path: "/poll/formatted/fetch", key: s.all})
		if want := "<t>" + a.header.Get("Restante-Token") + "</t>\x00\xff"; a.status != 200 || a.body != want {
			t.Errorf("fetch = %d %q, want %q", a.status, a.body, want)
		}
		if got := a.header.Get("Content-Disposition"); got != test.disposition {
			t.Errorf("Content-Disposition of %q = %s, want %s", test.filename, got, test.disposition)
		}
		if got := a.header.Get("Content-Type"); got != `application/xml; charset="utf-8"` {
			t.Errorf("Content-Type = %s", got)
		}
	}
}

func TestFormatterFails(t *testing.T) {
	for _, test := range []struct {
		name    string
		err     error
		status  int
		problem string
		says    []string
		without string
		logged  string
	}{
		{name: "unavailable", err: &host.UnavailableError{Plugin: "records", Reason: "its process ended with exit status 2; it is started again in 30s."},
			status: 503, problem: "unavailable", says: []string{"records", "exit status 2; it is started again in 30s. Its messages are safe"}},
		{name: "rejected", err: &host.RejectedError{Plugin: "records", Rejections: []host.Rejection{{ID: 1, Reason: "secret-of-data"}, {ID: 3, Reason: "x"}}},
			status: 503, problem: "rejected", says: []string{"records", "messages 1,3"}, without: "secret-of-data", logged: "secret-of-data"},
		{name: "other", err: errors.New("open /var/lib/restante: broken"),
			status: 500, problem: "internal", says: []string{"request id"}, without: "/var/lib", logged: "/var/lib/restante"},
		{name: "panic", status: 500, problem: "internal", says: []string{"request id"}, without: "secret-of-panic", logged: "fetch_test.go"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t)
			s.formatters.set(func(host.Batch) (host.Document, error) {
				if test.err == nil {
					panic("secret-of-panic")
				}
				return host.Document{}, test.err
			})
			a := s.do(t, call{method: "GET", path: "/poll/formatted/fetch", key: s.all})
			check(t, a, test.status, test.problem, test.says...)
			if test.without != "" && strings.Contains(a.body, test.without) {
				t.Errorf("the answer says %q: %s", test.without, a.body)
			}
			if log := s.log.String(); !strings.Contains(log, test.logged) {
				t.Errorf("the log does not say %q:\n%s", test.logged, log)
			}
			if !strings.Contains(s.log.String(), a.header.Get("X-Request-Id")) {
				t.Error("the request id is not in the log")
			}
			if (a.header.Get("Retry-After") != "") != (test.status == 503) {
				t.Errorf("Retry-After = %q with status %d", a.header.Get("Retry-After"), a.status)
			}
			// The process lives on.
			if b := s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.all}); b.status != 200 {
				t.Errorf("the next fetch = %d", b.status)
			}
		})
	}
}

// TestSignedDocument verifies with the library of the specification.
func TestSignedDocument(t *testing.T) {
	const secret, other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	signer, err := host.NewSigner([]string{other, secret})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *api.Config, _ *http.Server) {
		c.Signer = func(g host.GroupName) *host.Signer {
			if g == "student" {
				return signer
			}
			return nil
		}
	})
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, messages := range [][]string{nil, {`{"a":1}`}} {
		s.fill(t, "student", messages...)
		a := s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.student})
		if err := verifier.Verify([]byte(a.body), a.header); err != nil || a.header.Get("Webhook-Id") != a.header.Get("Restante-Delivery") {
			t.Errorf("Verify = %v, headers %v", err, a.header)
		}
		if err := verifier.Verify([]byte(a.body+" "), a.header); err == nil {
			t.Error("another document has the same signature")
		}
	}
	if a := s.do(t, call{method: "GET", path: "/poll/other/fetch", key: s.other}); a.header.Get("Webhook-Signature") != "" {
		t.Error("a queue without secrets signs")
	}
}
