package purity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func TestCause(t *testing.T) {
	at := time.Date(2026, 3, 4, 10, 11, 12, 0, time.UTC)
	for name, test := range map[string]struct{ a, b, want string }{
		"time of day": {"at 10:11:12 o'clock", "at 10:11:13 o'clock", "current time"},
		"seconds":     {fmt.Sprint("t ", at.Unix()), fmt.Sprint("t ", at.Unix()+1), "current time"},
		"year":        {"in 2026 a", "in 2027 a", "current time"},
		"map":         {`{"a":1,"b":2}`, `{"b":2,"a":1}`, "order of a map"},
		"old times":   {"1999-01-01 1998-02-02", "1998-02-02 1999-01-01", "order of a map"},
		"pid":         {"by process 4711", "by process 4712", "process id"},
		"counter":     {"no. 7", "no. 8", "counter"},
		"random":      {"id kJ8sQpL2x", "id Zy77aQw1bb", "random"},
		"nothing":     {"a", "ab", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := Answer{Document: host.Document{ContentType: "text/plain", Body: []byte(test.a)}, PID: 4711, At: at}
			later := at.Add(time.Second)
			if name == "year" {
				later = at.AddDate(1, 0, 0)
			}
			b := Answer{Document: host.Document{ContentType: "text/plain", Body: []byte(test.b)}, PID: 4712, At: later}
			if got := Cause(a, b); !strings.Contains(got, test.want) || got == "" != (test.want == "") {
				t.Errorf("cause(%q, %q) = %q, want %q", test.a, test.b, got, test.want)
			}
		})
	}
}

func TestSuspect(t *testing.T) {
	at := time.Date(2026, 3, 4, 10, 11, 12, 0, time.UTC)
	b := host.Batch{Messages: []host.Message{{Data: []byte(`"2026-03-04"`)}}}
	for name, test := range map[string]struct{ text, want string }{
		"nothing":             {"as it should be", ""},
		"date in the message": {"on 2026-03-04", ""},
		"date":                {"on 04.03.2026", "today's date"},
		"host name":           {"at <" + hostName() + ">", "name of this computer"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "host name" && hostName() == "" {
				t.Skip("this computer's name is too common a word")
			}
			o := Answer{Document: host.Document{Body: []byte(test.text)}, At: at}
			if got := Suspect(o, b); !strings.Contains(got, test.want) || got == "" != (test.want == "") {
				t.Errorf("suspect(%q) = %q, want %q", test.text, got, test.want)
			}
		})
	}
}

func TestDifference(t *testing.T) {
	body := func(text string) Answer { return Answer{Document: host.Document{Body: []byte(text)}} }
	got := strings.Join(Difference(body("one\ntwo "+strings.Repeat("x", 100)), body("one\nten"), "before", "now"), "\n")
	for _, want := range []string{"first different byte: 5, in line 2; they have 108 and 7 bytes", `before  "one\ntwo xx`, `x"…`, `now     "one\nten"`} {
		if !strings.Contains(got, want) {
			t.Errorf("difference is %s, want %s in it", got, want)
		}
	}
	rejected := Answer{Rejections: []host.Rejection{{ID: 3, Reason: "no"}}}
	if got := Difference(rejected, body(""), "a", "b"); len(got) != 2 || got[0] != `a  message 3 rejected: "no"` || got[1] != "b  a document" {
		t.Errorf("difference of a rejection and a document is %q", got)
	}
}
