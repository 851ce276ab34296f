package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/restante/restante/host"
)

func TestAdd(t *testing.T) {
	s := start(t)
	next := 1
	for _, test := range []struct {
		name, contentType, body string
		lines, loose            bool
		count                   int
	}{
		{name: "JSON", contentType: "application/json", body: `{"a":1}`},
		{name: "charset", contentType: `application/json; charset="UTF-8"`, body: `{"a":"é"}`},
		{name: "capitals", contentType: "Application/JSON", body: `{"a":1}`},
		{name: "no type", body: `{"a":1}`, loose: true},
		{name: "JSON of a kind", contentType: "application/vnd.student+json", body: `[1]`, loose: true},
		{name: "white space", contentType: "application/json", body: " \r\n\t7 \n"},
		{name: "text", contentType: "application/json", body: `"text"`},
		{name: "false", contentType: "application/json", body: `false`},
		{name: "one line", contentType: "application/x-ndjson", body: `{"a":1}`, lines: true, count: 1},
		{name: "lines", contentType: "application/x-ndjson", body: "1\n\n2\r\n 3 \n", lines: true, count: 3},
		{name: "lines, other name", contentType: "application/ndjson", body: "1\n2\n", lines: true, count: 2, loose: true},
		{name: "lines, third name", contentType: "application/jsonl; charset=utf-8", body: "1\n2\n", lines: true, count: 2, loose: true},
		{name: "large", contentType: "application/json", body: `"` + strings.Repeat("x", host.MaxMessageBytes-2) + `"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := map[string]string{}
			if test.contentType != "" {
				header["Content-Type"] = test.contentType
			}
			a := s.do(t, call{method: "POST", path: "/add/student", key: s.student, header: header, body: test.body, loose: test.loose})
			want := fmt.Sprintf(`{"id":%d}`, next)
			if test.lines {
				ids := make([]string, test.count)
				for i := range ids {
					ids[i] = fmt.Sprint(next + i)
				}
				want = `{"ids":[` + strings.Join(ids, ",") + "]}"
			}
			next += max(1, test.count)
			if a.status != http.StatusCreated || a.body != want || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("add = %d %s %s, want 201 %s", a.status, a.header.Get("Content-Type"), a.body, want)
			}
		})
	}
	if got := s.unread(t, "student"); got != uint64(next-1) {
		t.Errorf("unread = %d, want %d", got, next-1)
	}
}

func TestAddIdempotently(t *testing.T) {
	s := start(t)
	add := func(key, contentType, body string) answer {
		t.Helper()
		return s.do(t, call{method: "POST", path: "/add/student", key: s.student, body: body,
			header: map[string]string{"Content-Type": contentType, "Idempotency-Key": key}})
	}
	const one, many = "application/json", "application/x-ndjson"
	for _, test := range []struct{ key, contentType, body, want string }{
		{"a", one, `{"n":1}`, `{"id":1}`},
		{"a", one, `{"n":1}`, `{"id":1}`},
		{`"a"`, one, ` {"n":1} `, `{"id":1}`},
		{"b", one, `{"n":1}`, `{"id":2}`},
		{"lines", many, "1\n2\n", `{"ids":[3,4]}`},
		{"lines", many, "1\n2\n", `{"ids":[3,4]}`},
		{strings.Repeat("k", host.MaxKeyBytes), one, `9`, `{"id":5}`},
	} {
		if a := add(test.key, test.contentType, test.body); a.status != http.StatusCreated || a.body != test.want {
			t.Errorf("add %s under key %.20s = %d %s, want %s", test.body, test.key, a.status, a.body, test.want)
		}
	}
	check(t, add("a", one, `{"n":2}`), 409, "key-reused", `"student"`, "Nothing was added")
	check(t, add("lines", many, "1\n2\n3\n"), 409, "key-reused")
	// The same key in another group is another key.
	a := s.do(t, call{method: "POST", path: "/add/other", key: s.other, body: `5`,
		header: map[string]string{"Content-Type": one, "Idempotency-Key": "a"}})
	if a.body != `{"id":1}` {
		t.Errorf("add to another group = %d %s", a.status, a.body)
	}
	if got := s.unread(t, "student"); got != 5 {
		t.Errorf("unread = %d, want 5", got)
	}
}

func TestAddRefuses(t *testing.T) {
	s := start(t)
	const one, many = "application/json", "application/x-ndjson"
	for _, test := range []struct {
		name, contentType, body string
		header                  map[string]string
		status                  int
		problem                 string
		says                    []string
	}{
		{"no JSON", one, `{"a":`, nil, 400, "bad-data", []string{"byte 6", "Nothing was added"}},
		{"no value", one, `hello`, nil, 400, "bad-data", []string{"byte 1"}},
		{"empty", one, "", nil, 400, "bad-data", []string{"there is no JSON value"}},
		{"empty without a type", "", "", nil, 400, "bad-data", nil},
		{"white space", one, " \n ", nil, 400, "bad-data", nil},
		{"null", one, "null", nil, 400, "bad-data", []string{"null"}},
		{"two values", one, "1 2", nil, 400, "bad-data", []string{"NDJSON"}},
		{"bad UTF-8", one, "\"\xff\"", nil, 400, "bad-data", []string{"byte 2", "UTF-8"}},
		{"half a surrogate", one, `"\ud800"`, nil, 400, "bad-data", nil},
		{"duplicate name", one, `{"a":1,"a":2}`, nil, 400, "bad-data", []string{`"a"`, "twice"}},
		{"deep", one, strings.Repeat("[", 200) + strings.Repeat("]", 200), nil, 400, "bad-data", []string{"128"}},
		{"very deep", one, strings.Repeat("[", 1<<20), nil, 400, "bad-data", nil},
		{"bad line", many, "1\n{\"a\":1}\n{bad}\n4\n", nil, 400, "bad-data", []string{"line 3, byte 2"}},
		{"null line", many, "1\nnull\n", nil, 400, "bad-data", []string{"line 2"}},
		{"no lines", many, "\n\n", nil, 400, "bad-data", nil},
		{"too many lines", many, strings.Repeat("1\n", host.MaxAddition+1), nil, 413, "too-large", []string{"10000"}},
		{"a large line", many, "1\n" + strings.Repeat("9", host.MaxMessageBytes+1), nil, 413, "too-large", []string{"message 2", "4194304"}},
		{"just too large", one, strings.Repeat("9", host.MaxMessageBytes+1), nil, 413, "too-large", []string{"4194304"}},
		{"10 MB", one, strings.Repeat("9", 10_000_000), nil, 413, "too-large", []string{"a message may have at most 4194304 bytes"}},
		{"20 MB of lines", many, strings.Repeat("1\n", 10_000_000), nil, 413, "too-large", []string{"16777216"}},
		{"form", "application/x-www-form-urlencoded", `{"a":1}`, nil, 415, "unsupported-media-type", []string{"-H 'Content-Type: application/json'"}},
		{"plain text", "text/plain", `{"a":1}`, nil, 415, "unsupported-media-type", nil},
		{"malformed type", "application/json; charset", `1`, nil, 415, "unsupported-media-type", []string{"malformed"}},
		{"Latin 1", "application/json; charset=iso-8859-1", "\"\xe9\"", nil, 415, "unsupported-media-type", []string{"UTF-8"}},
		{"compressed", one, "\x1f\x8b", map[string]string{"Content-Encoding": "gzip"}, 415, "unsupported-media-type", []string{`"gzip"`}},
		{"empty key", one, "1", map[string]string{"Idempotency-Key": `""`}, 400, "bad-request", []string{"Idempotency-Key"}},
		{"long key", one, "1", map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}, 400, "bad-request", []string{"256", "255"}},
		{"key beyond ASCII", one, "1", map[string]string{"Idempotency-Key": "é"}, 400, "bad-request", []string{"ASCII"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := map[string]string{}
			if test.contentType != "" {
				header["Content-Type"] = test.contentType
			}
			for name, value := range test.header {
				header[name] = value
			}
			a := s.do(t, call{method: "POST", path: "/add/student", key: s.student, header: header, body: test.body})
			check(t, a, test.status, test.problem, test.says...)
		})
	}
	if got := s.unread(t, "student"); got != 0 {
		t.Errorf("unread = %d, want 0: something was added", got)
	}
}

func TestAddIdentityEncoding(t *testing.T) {
	s := start(t)
	a := s.do(t, call{method: "POST", path: "/add/student", key: s.student, body: "1",
		header: map[string]string{"Content-Type": "application/json", "Content-Encoding": "identity"}})
	if a.status != http.StatusCreated {
		t.Errorf("add = %d %s", a.status, a.body)
	}
}

func TestStoreFails(t *testing.T) {
	s := start(t)
	s.fill(t, "student", "1")
	token := s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.student}).header.Get("Restante-Token")
	for _, test := range []struct {
		err     error
		status  int
		problem string
		logged  bool
	}{
		{fmt.Errorf("write /srv/restante.db: %w", host.ErrStoreFull), 503, "store-full", true},
		{fmt.Errorf("%w: fsync: input/output error", host.ErrFailed), 503, "store-failed", true},
		{fmt.Errorf("%w: the cluster has no leader", host.ErrUnavailable), 503, "store-unavailable", true},
		{fmt.Errorf("message 7 of %q: %w", "student", host.ErrDamaged), 503, "damaged", true},
		{fmt.Errorf("write /srv/restante.db: %w", host.ErrClosed), 503, "stopping", false},
		{errors.New("write /srv/restante.db: input/output error"), 500, "internal", true},
	} {
		t.Run(test.problem, func(t *testing.T) {
			s.store.breakWith(test.err)
			a := s.do(t, call{method: "POST", path: "/add/student", key: s.student, body: "1",
				header: map[string]string{"Content-Type": "application/json"}})
			check(t, a, test.status, test.problem)
			if got := strings.Contains(s.log.String(), "[ERROR] api: request refused: request_id="+a.header.Get("X-Request-Id")); got != test.logged {
				t.Errorf("logged as an error: %v, want %v", got, test.logged)
			}
			check(t, s.do(t, markCall(s.student, token)), test.status, test.problem)
		})
	}
	s.store.breakWith(nil)
	if got := s.unread(t, "student"); got != 1 {
		t.Errorf("unread = %d, want 1", got)
	}
}
