package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckData(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, `0`, `-0.5e+10`, `"x"`, `true`, `false`, ` {"a":[1,{"b":null}]} `, "\t[\r\n1 , 2]\n",
		`{"a":{"a":1},"b":{"a":1}}`, `"\u00e4\ud83d\ude00\/\b"`, `1234567890123456789012345678901234567890`,
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), `{"":1," ":2}`, "\"\u007f\u2028\"",
	} {
		got, err := CheckData([]byte(text))
		if err != nil || string(got) != strings.TrimSpace(text) {
			t.Errorf("CheckData(%q) = %q, %v", text, got, err)
		}
	}
	many := func(last string) string {
		var b strings.Builder
		for i := range 30 {
			b.WriteString(`"` + strings.Repeat("k", i+1) + `":0,`)
		}
		return "{" + b.String() + last + "}"
	}
	if _, err := CheckData([]byte(many(`"x":1`))); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"":                            "there is no JSON value",
		" \n":                         "there is no JSON value",
		"null":                        "null is not a message",
		"{":                           "the text ends where a name",
		`{"a":1,}`:                    "where a name in quotes should be",
		`{"a" 1}`:                     `'1' where ":" should be`,
		`[1 2]`:                       `'2' where "," or "]" should be`,
		`[1,]`:                        "where a JSON value should be",
		`{"a":1`:                      `the text ends where "," or "}" should be`,
		`{'a':1}`:                     "where a name in quotes should be",
		"hello":                       "'h' where a JSON value should be",
		"\xef\xbb\xbf{}":              "where a JSON value should be",
		"01":                          "more text after the JSON value",
		"1.":                          "a digit should be",
		"-":                           "a digit should be",
		"1e":                          "a digit should be",
		"+1":                          "where a JSON value should be",
		"NaN":                         "where a JSON value should be",
		"truex":                       "more text after",
		"{}\n{}":                      "sent as NDJSON",
		`"abc`:                        "without its closing quote",
		"\"a\nb\"":                    "raw control character",
		`"\x41"`:                      "not an escape sequence",
		`"\u12g4"`:                    "not an escape sequence",
		`"\`:                          "not an escape sequence",
		`"\ud800"`:                    "half of a surrogate pair: \\ud800",
		`"\ud800\u0041"`:              "half of a surrogate pair",
		`"\udc00"`:                    "half of a surrogate pair",
		"\"\xff\"":                    "not valid UTF-8",
		"\"\xed\xa0\x80\"":            "not valid UTF-8",
		`{"a":1,"a":2}`:               `the name "a" is twice`,
		`{"a":1,"\u0061":2}`:          `the name "a" is twice`,
		many(`"kk":1`):                `the name "kk" is twice`,
		many(`"y":1,"z":2,"y":3`):     `the name "y" is twice`,
		`[{"x":{"b":1,"c":2,"b":3}}]`: `the name "b" is twice`,
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1): "nested more than 128 deep",
		strings.Repeat(`{"a":`, 100_000):                                  "nested more than 128 deep",
	} {
		_, err := CheckData([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ErrBadData) {
			t.Errorf("CheckData(%.40q) = %v, want %q", text, err, want)
		}
	}
}

func TestCheckLines(t *testing.T) {
	all, err := CheckLines([]byte("{\"a\":1}\n\n [2] \r\n\"x\""))
	if err != nil || len(all) != 3 || string(all[1]) != "[2]" {
		t.Errorf("CheckLines = %s, %v", all, err)
	}
	_, err = CheckLines([]byte("1\n\n2\n{\"a\":}\n4\n"))
	if fault, ok := errors.AsType[*DataError](err); !ok || fault.Line != 4 {
		t.Errorf("CheckLines with a bad fourth line = %v", err)
	}
	if _, err := CheckLines([]byte("\n \n")); !errors.Is(err, ErrBadData) {
		t.Errorf("CheckLines of empty lines = %v", err)
	}
}

func TestCheckLinesStopsAtTheLimit(t *testing.T) {
	if all, err := CheckLines([]byte(strings.Repeat("1\n", MaxAddition))); err != nil || len(all) != MaxAddition {
		t.Errorf("CheckLines of the most lines = %d, %v", len(all), err)
	}
	// The bad line after the limit is never looked at.
	if _, err := CheckLines([]byte(strings.Repeat("1\n", MaxAddition+1) + "x")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("CheckLines of one line more = %v", err)
	}
}

// TestDefaultFormatOfDeepNesting: indentation must not make gigabytes.
func TestDefaultFormatOfDeepNesting(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth-1) + strings.Repeat("1,", 1<<20) + "1" + strings.Repeat("]", MaxDepth-1)
	data, err := CheckData([]byte(deep))
	if err != nil {
		t.Fatal(err)
	}
	d, err := WriteDefault(Batch{Group: "g", Messages: []Message{{ID: 1, Data: data}}})
	if err != nil || len(d.Body) > len(deep)+1000 || !json.Valid(d.Body) {
		t.Errorf("the document of a message of %d bytes has %d, %v", len(deep), len(d.Body), err)
	}
	for _, text := range []string{`{}`, `[1,[2,{"a":"b,{\"","c":[]}]]`, `{"x":{"y":[1,2,3]},"z":null}`} {
		d, err := WriteDefault(Batch{Group: "g", Messages: []Message{{ID: 1, Data: []byte(text)}, {ID: 2, Data: []byte(text)}}})
		var compact bytes.Buffer
		if err != nil || json.Compact(&compact, d.Body) != nil {
			t.Fatal(err)
		}
		if size := indentedSize(compact.Bytes()); size < len(d.Body) || size > len(d.Body)*2 {
			t.Errorf("indentedSize = %d for a document of %d bytes", size, len(d.Body))
		}
	}
}

func FuzzCheckData(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"\u00e4\n",null,true]}`, `{"a":1,"a":2}`, "\"\xff\"", `"\ud800"`, `[[[]]]`, "01", "null"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		data, err := CheckData(b)
		if err == nil {
			if !json.Valid(b) || !utf8.Valid(b) {
				t.Fatalf("%q was accepted", b)
			}
			d, err := WriteDefault(Batch{Messages: []Message{{ID: 1, Data: data}}})
			if err != nil || !json.Valid(d.Body) {
				t.Fatalf("the default format of %q is %q, %v", b, d.Body, err)
			}
			return
		}
		// Whatever encoding/json accepts is refused for our own reasons alone.
		if json.Valid(b) && utf8.Valid(b) {
			for _, reason := range []string{"twice in one object", "surrogate", "nested", "null is not"} {
				if strings.Contains(err.Error(), reason) {
					return
				}
			}
			t.Fatalf("%q was refused: %v", b, err)
		}
	})
}

func BenchmarkCheckData(b *testing.B) {
	data := []byte(`{"id":123,"name":"` + strings.Repeat("x", 400) + `","items":[` + strings.Repeat(`{"a":1.5,"b":"yy"},`, 30) + `{}]}`)
	b.SetBytes(int64(len(data)))
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if _, err := CheckData(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json.Valid", func(b *testing.B) {
		for b.Loop() {
			if !json.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
				b.Fatal()
			}
		}
	})
}
