package natsstore

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/restante/restante/host"
)

const groupLetters = "abcXYZ019.:_-"

func TestGroupNames(t *testing.T) {
	for g, want := range map[host.GroupName]string{
		"student": "student", "Student.v1:a_b-c": "_student_0v1_1a_2b-c",
	} {
		if got := encodeGroup(g); got != want {
			t.Errorf("encodeGroup(%q) = %q, want %q", g, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		g := host.GroupName("a" + rapid.StringOfN(rapid.SampledFrom([]rune(groupLetters)), 0, host.MaxGroupNameBytes-1, -1).Draw(t, "name"))
		text := encodeGroup(g)
		// The name of a stream has at most 255 bytes; folders may know no case.
		if stream := names(strings.Repeat("p", maxPrefix)).group(g); len(stream) > 255 {
			t.Fatalf("the stream of %q has %d bytes", g, len(stream))
		}
		if strings.ToLower(text) != text || strings.ContainsAny(text, ". *>/\\:") {
			t.Fatalf("encodeGroup(%q) = %q", g, text)
		}
		if back, err := decodeGroup(text); err != nil || back != g {
			t.Fatalf("decodeGroup(%q) = %q, %v, want %q", text, back, err, g)
		}
	})
}

func FuzzDecodeGroup(f *testing.F) {
	f.Add("_student_0v1_1a_2b-c")
	f.Add("__mfra")
	f.Fuzz(func(t *testing.T, text string) {
		if g, err := decodeGroup(text); err == nil && encodeGroup(g) != text {
			t.Errorf("decodeGroup(%q) = %q, which encodes to %q", text, g, encodeGroup(g))
		}
	})
}

func TestTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		token := encodeToken(text)
		if token == "" || strings.ContainsAny(token, ". *>\t\r\n") {
			t.Fatalf("encodeToken(%q) = %q", text, token)
		}
		if back, err := decodeToken(token); err != nil || back != text {
			t.Fatalf("decodeToken(%q) = %q, %v, want %q", token, back, err, text)
		}
	})
}

func FuzzParseLabel(f *testing.F) {
	l := label{by: operation{"abc", 7}, first: 3, count: 2, key: "k y", digest: "00", large: largeRef{"abc-1", "abc-2", 3}}
	f.Add(strings.Join(l.fields(), " "))
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLabel(strings.Split(text, " "))
		if err != nil {
			return
		}
		again, err := parseLabel(l.fields())
		if err != nil || again != l {
			t.Errorf("%q is %+v, which is read as %+v, %v", text, l, again, err)
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	zip, unzip, err := newZip()
	if err != nil {
		f.Fatal(err)
	}
	s := &Store{zip: zip, unzip: unzip}
	state := &groupState{zip: zip, settled: 5, leftover: host.NewRanges(1, 2, 9)}
	state.Skip(host.Range{First: 1, Last: 20})
	f.Add(state.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if state, err := s.decodeState(b); err == nil {
			if _, err := s.decodeState(state.encode()); err != nil {
				t.Errorf("%x can't be read again: %v", b, err)
			}
		}
	})
}

func TestOlder(t *testing.T) {
	for version, want := range map[string]bool{"2.11.9": true, "2.12.0": false, "2.12.0-RC.1": false, "2.15.2": false, "3.0.0": false, "1.99.0": true, "": true} {
		if got := older(version, "2.12.0"); got != want {
			t.Errorf("older(%q) = %v, want %v", version, got, want)
		}
	}
}
