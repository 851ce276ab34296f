package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/api"
)

func rejectCall(key, token string, reject ...string) call {
	c := markCall(key, token)
	c.body = url.Values{"token": {token}, "reject": reject}.Encode()
	return c
}

func TestReject(t *testing.T) {
	s := start(t)
	s.fill(t, "student", "1", "2", "3", "4")
	token := s.do(t, call{method: "GET", path: "/poll/student/fetch?limit=3", key: s.student}).header.Get("Restante-Token")
	for _, test := range []struct{ accept, want string }{
		{"", "Marked: 1, Unread: 1"},
		{"", "Marked: 0, Unread: 1"},
		{"application/json", `{"markedCount":0,"unreadCount":1,"rejectedCount":2}`},
	} {
		c := rejectCall(s.student, token, "2:kein Schüler: \"7\" & mehr", "3:")
		c.header["Accept"] = test.accept
		if a := s.do(t, c); a.status != 200 || a.body != test.want {
			t.Errorf("mark, Accept: %s = %d %q, want %q", test.accept, a.status, a.body, test.want)
		}
	}
	counts, err := s.store.Counts(t.Context(), "student")
	if err != nil || counts.Held != 2 || counts.Read != 1 {
		t.Errorf("the counts are %+v, %v", counts, err)
	}
}

// The largest form that can be is read.
func TestRejectAll(t *testing.T) {
	s := start(t)
	s.fill(t, "student", strings.Split(strings.Repeat("1 ", host.MaxFetch-1)+"1", " ")...)
	token := s.do(t, call{method: "GET", path: "/poll/student/fetch?limit=1000", key: s.student}).header.Get("Restante-Token")
	var reject []string
	for id := range host.MaxFetch {
		reject = append(reject, fmt.Sprint(id+1, ":", strings.Repeat("é", host.MaxRejectionBytes/2)))
	}
	c := rejectCall(s.student, token, reject...)
	c.header["Accept"] = "application/json"
	if a := s.do(t, c); a.status != 200 || a.body != `{"markedCount":0,"unreadCount":0,"rejectedCount":1000}` {
		t.Errorf("mark = %d %s", a.status, a.body)
	}
}

func TestRejectRefuses(t *testing.T) {
	s := start(t)
	s.fill(t, "student", "1", "2", "3")
	token := s.do(t, call{method: "GET", path: "/poll/student/fetch?limit=2", key: s.student}).header.Get("Restante-Token")
	for _, test := range []struct {
		name    string
		reject  []string
		problem string
		says    string
	}{
		{"nothing", []string{""}, "bad-request", "number 1 is not of the form ID:REASON"},
		{"no colon", []string{"1:a", "2"}, "bad-request", "number 2 is not of the form ID:REASON"},
		{"no id", []string{":a"}, "bad-request", "ID:REASON"},
		{"zero", []string{"0:a"}, "bad-request", "ID:REASON"},
		{"sign", []string{"+1:a"}, "bad-request", "ID:REASON"},
		{"negative", []string{"-1:a"}, "bad-request", "ID:REASON"},
		{"space", []string{" 1:a"}, "bad-request", "ID:REASON"},
		{"other digits", []string{"١:a"}, "bad-request", "ID:REASON"},
		{"range", []string{"1-2:a"}, "bad-request", "ID:REASON"},
		{"huge id", []string{"99999999999999999999:a"}, "bad-request", "ID:REASON"},
		{"largest id", []string{"9223372036854775807:a"}, "bad-rejection", "not one of the token's"},
		{"of another batch", []string{"1:a", "3:b"}, "bad-rejection", "message 3 is not one of the token's"},
		{"twice", []string{"1:a", "01:b"}, "bad-rejection", "message 1 is rejected twice"},
		{"too many", make([]string, 1001), "bad-request", "1001 times"},
		{"long", []string{"1:" + strings.Repeat("x", 1001)}, "bad-rejection", "1001 bytes"},
		{"NUL", []string{"1:a\x00"}, "bad-rejection", "U+0000"},
		{"two lines", []string{"1:a\r\nb"}, "bad-rejection", "U+000D"},
		{"terminal", []string{"1:\x1b[2J"}, "bad-rejection", "U+001B"},
		{"no UTF-8", []string{"1:\xff"}, "bad-rejection", "UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			check(t, s.do(t, rejectCall(s.student, token, test.reject...)), 400, test.problem, test.says)
		})
	}
	check(t, s.do(t, rejectCall(s.student, token+"A", "1:a")), 400, "bad-token")
	if counts, err := s.store.Counts(t.Context(), "student"); err != nil || counts.Unread != 3 {
		t.Errorf("the counts are %+v, %v", counts, err)
	}
}

func FuzzRejections(f *testing.F) {
	f.Add("reject=1:a&reject=2:")
	f.Add("reject=1%3Ab%00&reject=99999999999999999999:")
	f.Add("reject=&reject=:&reject=0:x")
	f.Fuzz(func(t *testing.T, form string) {
		values, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		all, err := api.Rejections(values)
		if err != nil {
			if text := err.Error(); !utf8.ValidString(text) || len(text) > 1000 {
				t.Errorf("the error is %q", text)
			}
			return
		}
		if len(all) != len(values["reject"]) {
			t.Errorf("%d rejections of %q", len(all), form)
		}
		for i, r := range all {
			if r.ID == 0 || r.ID > host.MaxID || !strings.HasSuffix(values["reject"][i], ":"+r.Reason) {
				t.Errorf("%+v of %q", r, values["reject"][i])
			}
		}
	})
}
