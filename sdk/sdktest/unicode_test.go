package sdktest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestStringValues(t *testing.T) {
	tests := map[string][]string{
		`"a"`:                                  {`"a"`},
		`1`:                                    nil,
		`{"k":"v","n":1,"o":{"p":"w"},"l":[]}`: {`"v"`, `"w"`},
		`["a",{"k":["b"]},"c", null , "d"]`:    {`"a"`, `"b"`, `"c"`, `"d"`},
		`{"a\"":"b\\\"c\\","d":"\\"}`:          {`"b\\\"c\\"`, `"\\"`},
		`{ "k" : "" , "é" : "ü" }`:             {`""`, `"ü"`},
	}
	for text, want := range tests {
		var got []string
		for _, at := range stringValues(json.RawMessage(text)) {
			got = append(got, text[at.start:at.end])
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("stringValues(%s) = %q, want %q", text, got, want)
		}
	}
}

func TestUnicodeVariants(t *testing.T) {
	variants := unicodeVariants([]json.RawMessage{json.RawMessage(`{"n":1.0,"a":"x","b":["y"]}`)})
	if want := 2 * len(unicodeTexts()); len(variants) != want {
		t.Fatalf("%d variants, want %d", len(variants), want)
	}
	for i, v := range variants {
		if !json.Valid(v) || !strings.HasPrefix(string(v), `{"n":1.0,"a":`) {
			t.Errorf("variant %d is %s", i, v)
		}
	}
}

func TestDifference(t *testing.T) {
	got := difference([]byte("one\ntwo\nthree"), []byte("one\ntwo\nthrow"))
	for _, want := range []string{"byte 11, line 3 (of 13 and 13 bytes)", `got  "one\ntwo\nthree"`, `want "one\ntwo\nthrow"`} {
		if !strings.Contains(got, want) {
			t.Errorf("difference = %s, want it to have %q", got, want)
		}
	}
	if got := difference([]byte("a"), []byte("ab")); !strings.Contains(got, "byte 1, line 1") {
		t.Errorf("difference at the end = %s", got)
	}
}
