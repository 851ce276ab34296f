package check

import (
	"encoding/json"
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
		"map":         {`{"a":1,"b":2}`, `{"b":2,"a":1}`, "order of a map"},
		"old times":   {"1999-01-01 1998-02-02", "1998-02-02 1999-01-01", "order of a map"},
		"pid":         {"by process 4711", "by process 4712", "process id"},
		"counter":     {"no. 7", "no. 8", "counter"},
		"random":      {"id kJ8sQpL2x", "id Zy77aQw1bb", "random"},
		"nothing":     {"a", "ab", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := outcome{document: host.Document{ContentType: "text/plain", Body: []byte(test.a)}, pid: 4711, at: at}
			b := outcome{document: host.Document{ContentType: "text/plain", Body: []byte(test.b)}, pid: 4712, at: at.Add(time.Second)}
			if got := cause(a, b); !strings.Contains(got, test.want) || got == "" != (test.want == "") {
				t.Errorf("cause(%q, %q) = %q, want %q", test.a, test.b, got, test.want)
			}
		})
	}
}

func TestSuspect(t *testing.T) {
	at := time.Date(2026, 3, 4, 10, 11, 12, 0, time.UTC)
	b := batch("g", []json.RawMessage{json.RawMessage(`"2026-03-04"`)})
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
			o := outcome{document: host.Document{Body: []byte(test.text)}, at: at}
			if got := suspect(o, b); !strings.Contains(got, test.want) || got == "" != (test.want == "") {
				t.Errorf("suspect(%q) = %q, want %q", test.text, got, test.want)
			}
		})
	}
}

func TestDifference(t *testing.T) {
	body := func(text string) outcome { return outcome{document: host.Document{Body: []byte(text)}} }
	got := strings.Join(difference(body("one\ntwo "+strings.Repeat("x", 100)), body("one\nten"), "before", "now"), "\n")
	for _, want := range []string{"first different byte: 5, in line 2; they have 108 and 7 bytes", `before  "one\ntwo xx`, `x"…`, `now     "one\nten"`} {
		if !strings.Contains(got, want) {
			t.Errorf("difference is %s, want %s in it", got, want)
		}
	}
	rejected := outcome{rejections: []host.Rejection{{ID: 3, Reason: "no"}}}
	if got := difference(rejected, body(""), "a", "b"); len(got) != 2 || got[0] != "a  message 3 rejected: no" || got[1] != "b  a document" {
		t.Errorf("difference of a rejection and a document is %q", got)
	}
}

// TestMessages sees to it that a daemon could have accepted all that is made up.
func TestMessages(t *testing.T) {
	samples := []json.RawMessage{json.RawMessage(`{"na\"me":"a\\","list":["b",{"c" : "d"}],"n":1}`), json.RawMessage(`"text"`)}
	if got := len(stringValues(samples[0])); got != 3 {
		t.Errorf("%d string values found, want 3", got)
	}
	for _, data := range append(append(generated(20, 10), odd(samples)...), odd(generated(12, 0))...) {
		if _, err := host.CheckData(data); err != nil {
			t.Errorf("%.100s: %v", data, err)
		}
	}
	if n := len(filled(generated(1, 0), 7, 1<<20)); n != 7 {
		t.Errorf("filled gave %d messages, want 7", n)
	}
	if n := len(filled(generated(1, 100), 7, 10)); n != 1 {
		t.Errorf("filled gave %d messages for a size that one has, want 1", n)
	}
}
