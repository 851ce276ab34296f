package api_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/restante/restante/host"
)

func markCall(key, token string) call {
	return call{method: "POST", path: "/poll/student/mark", key: key, body: url.Values{"token": {token}}.Encode(),
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
}

func TestMark(t *testing.T) {
	s := start(t)
	s.fill(t, "student", "1", "2", "3")
	token := s.do(t, call{method: "GET", path: "/poll/student/fetch?limit=2", key: s.student}).header.Get("Restante-Token")
	for _, test := range []struct{ accept, want, contentType string }{
		{"", "Marked: 2, Unread: 1", "text/plain; charset=utf-8"},
		{"", "Marked: 0, Unread: 1", "text/plain; charset=utf-8"},
		{"*/*", "Marked: 0, Unread: 1", "text/plain; charset=utf-8"},
		{"application/json, text/plain, */*", "Marked: 0, Unread: 1", "text/plain; charset=utf-8"},
		{"application/json", `{"markedCount":0,"unreadCount":1}`, "application/json"},
		{"text/*;q=0.5, application/json", `{"markedCount":0,"unreadCount":1}`, "application/json"},
	} {
		c := markCall(s.student, token)
		if test.accept != "" {
			c.header["Accept"] = test.accept
		}
		a := s.do(t, c)
		if a.status != 200 || a.body != test.want || a.header.Get("Content-Type") != test.contentType {
			t.Errorf("mark, Accept: %s = %d %s %q, want %s %q", test.accept, a.status, a.header.Get("Content-Type"), a.body, test.contentType, test.want)
		}
	}
	loose := markCall(s.student, token)
	loose.loose = true
	loose.header = map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
	if a := s.do(t, loose); a.status != 200 {
		t.Errorf("mark with a charset = %d %s", a.status, a.body)
	}
	loose.header = nil
	if a := s.do(t, loose); a.status != 200 {
		t.Errorf("mark without a content type = %d %s", a.status, a.body)
	}
}

func TestMarkRefuses(t *testing.T) {
	s := start(t)
	s.fill(t, "student", "1", "2")
	s.fill(t, "other", "1", "2")
	token := s.do(t, call{method: "GET", path: "/poll/student/fetch", key: s.student}).header.Get("Restante-Token")
	foreign := s.do(t, call{method: "GET", path: "/poll/other/fetch", key: s.other}).header.Get("Restante-Token")
	const form = "application/x-www-form-urlencoded"
	flipped := []byte(token)
	flipped[5] ^= 1
	for _, test := range []struct {
		name, query, contentType, body string
		status                         int
		problem                        string
		says                           []string
	}{
		{"no token", "", form, "", 400, "bad-request", []string{`"token"`}},
		{"empty token", "", form, "token=", 400, "bad-request", []string{`"token"`}},
		{"other field", "", form, "Token=" + token, 400, "bad-request", []string{`"token"`}},
		{"token in the URL", "?token=" + token, form, "", 400, "bad-request", []string{"in the URL"}},
		{"two tokens", "", form, "token=" + token + "&token=" + token, 400, "bad-request", []string{"2 times"}},
		{"malformed", "", form, "token=%zz", 400, "bad-request", []string{"malformed"}},
		{"not a token", "", form, "token=hello", 400, "bad-token", []string{`"student"`, "Nothing was marked"}},
		{"ids", "", form, "token=1,2", 400, "bad-token", nil},
		{"forged", "", form, "token=" + string(flipped), 400, "bad-token", nil},
		{"cut short", "", form, "token=" + token[:len(token)-1], 400, "bad-token", nil},
		{"made longer", "", form, "token=" + token + "A", 400, "bad-token", nil},
		{"of another queue", "", form, "token=" + foreign, 400, "bad-token", nil},
		{"of a preview", "", form, "token=" + string(host.PreviewToken), 400, "bad-token", nil},
		{"long", "", form, "token=" + strings.Repeat("A", host.MaxTokenBytes+1), 400, "bad-token", nil},
		{"too long", "", form, "token=" + strings.Repeat("A", 5_000_000), 413, "too-large", []string{"bytes"}},
		{"JSON", "", "application/json", `{"token":"` + token + `"}`, 415, "unsupported-media-type", []string{form}},
		{"multipart", "", "multipart/form-data; boundary=x", "--x--", 415, "unsupported-media-type", []string{form}},
		{"Latin 1", "", form + "; charset=latin1", "token=" + token, 415, "unsupported-media-type", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.do(t, call{method: "POST", path: "/poll/student/mark" + test.query, key: s.student, body: test.body,
				header: map[string]string{"Content-Type": test.contentType}})
			check(t, a, test.status, test.problem, test.says...)
			if len(token) > 10 && strings.Contains(a.body, token) {
				t.Errorf("the answer repeats the token: %s", a.body)
			}
		})
	}
	if got := s.unread(t, "student"); got != 2 {
		t.Errorf("unread = %d, want 2: something was marked", got)
	}
}
