package admin

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// spans are what marks are made of.
var spans = regexp.MustCompile(`</?span( class="[a-z]+")?>`)

// plainText is what somebody reads of a document; what is left of markup is a
// fault.
func plainText(t *testing.T, s shown) string {
	t.Helper()
	text := spans.ReplaceAllString(string(s.HTML), "")
	if strings.ContainsAny(text, `<>"'`) {
		t.Errorf("it is shown with markup in it: %.500s", text)
	}
	return html.UnescapeString(text)
}

// TestShowDocument shows documents as they are, and only the beginning of long
// ones.
func TestShowDocument(t *testing.T) {
	for name, c := range map[string]struct {
		contentType, body, kind string
		cut                     bool
	}{
		"nothing":           {"text/plain", "", "text", false},
		"JSON":              {"application/problem+json; charset=utf-8", `{"a":["b\"",1.50,-2e3,true,null]}`, "json", false},
		"half of JSON":      {"application/json", `{"a":"b\`, "json", false},
		"no JSON":           {"application/json", `<script>alert("1")</script>`, "json", false},
		"XML":               {"text/xml", `<?xml version="1.0"?><!DOCTYPE a><a b='c"d'><!-- <e> --><![CDATA[<f>]]>&amp;</a>`, "xml", false},
		"half of XML":       {"application/xml", `<a b="`, "xml", false},
		"half a comment":    {"application/xml", `<!-- <b>`, "xml", false},
		"no XML":            {"image/svg+xml", "a < b > c \" ' <", "xml", false},
		"no type":           {"x;;;", "a", "text", false},
		"HTML":              {"text/html", "<b>bold</b>", "text", false},
		"zero":              {"text/plain", "a\x00b", "hex", false},
		"no UTF-8":          {"text/plain", "a\xff", "hex", false},
		"two bytes each":    {"text/plain", strings.Repeat("é", maxShown), "text", true},
		"three bytes each":  {"text/plain", strings.Repeat("書", maxShown), "text", true},
		"four bytes each":   {"text/plain", "a" + strings.Repeat("😀", maxShown), "text", true},
		"as long as may be": {"text/plain", strings.Repeat("x", maxShown), "text", false},
		"long bytes":        {"application/pdf", strings.Repeat("\x00", 1<<20), "hex", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := showDocument(c.contentType, "f", []byte(c.body))
			if s.Kind != c.kind || s.Cut != c.cut || s.Size != len(c.body) {
				t.Errorf("it is shown as %s, cut %v, %d bytes", s.Kind, s.Cut, s.Size)
			}
			text := plainText(t, s)
			if c.kind == "hex" {
				return
			}
			if !strings.HasPrefix(c.body, text) || !utf8.ValidString(text) || !c.cut && text != c.body || c.cut && len(text) < maxShown-utf8.UTFMax {
				t.Errorf("%d bytes are shown, that begin %.100q", len(text), text)
			}
		})
	}
}

// TestHugeDocuments shows what would take much time or memory.
func TestHugeDocuments(t *testing.T) {
	const most = 16 << 20
	deep := strings.Repeat("[", 100) + strings.Repeat("1,", 30_000) + "1" + strings.Repeat("]", 100)
	for name, body := range map[string]string{
		"a JSON array":     "[" + strings.Repeat("1,", most/2) + "1]",
		"empty strings":    "[" + strings.Repeat(`"",`, maxShown) + "1]",
		"an XML line":      "<a>" + strings.Repeat("<b/>", most/4) + "</a>",
		"open tags":        strings.Repeat("<", most),
		"open comments":    strings.Repeat("<!--", most/4),
		"one attribute":    `<a b="` + strings.Repeat("x", most),
		"nested deep":      deep,
		"nested too deep":  strings.Repeat("[", most),
		"spaces":           `"a"` + strings.Repeat(" ", most),
		"escapes":          `"` + strings.Repeat(`\"`, most/2),
		"no UTF-8 at last": strings.Repeat("x", most-1) + "\xff",
	} {
		body := []byte(body)
		for _, kind := range []string{"application/json", "application/xml", "text/plain", "stored"} {
			began := time.Now()
			var s shown
			if kind == "stored" {
				s = showJSON(body)
			} else {
				s = showDocument(kind, "", body)
			}
			if len(s.HTML) > 40*maxShown {
				t.Errorf("%s as %s becomes %d bytes", name, kind, len(s.HTML))
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s as %s takes %s", name, kind, took)
			}
		}
	}
}

func FuzzShowDocument(f *testing.F) {
	f.Add("application/json", []byte(`{"a":["b\"",1.50]}`))
	f.Add("text/xml", []byte(`<?a?><!--b--><c d='e'>f</c>`))
	f.Add("text/plain", []byte("a\x00"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		s := showDocument(contentType, "", body)
		text := plainText(t, s)
		if s.Kind != "hex" && !s.Cut && text != string(body) {
			t.Errorf("%q is shown as %q", body, text)
		}
		showJSON(body)
	})
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{short("abc", 3), "abc"}, {short("abcd", 3), "abc…"}, {short("aéb", 2), "a…"}, {short("a\xffb", 9), "a\uFFFDb"}, {short("é", 1), "…"},
		{number[uint64](0), "0"}, {number[uint64](1234567), "1,234,567"}, {number[uint64](123456), "123,456"},
		{size(1023), "1023 B"}, {size(1536), "1.5 KiB"}, {size(int64(3) << 30), "3.0 GiB"},
		{seconds(0), "–"}, {seconds(0.0005), "500 µs"}, {seconds(0.25), "250.0 ms"}, {seconds(3), "3.0 s"},
		{relative(time.Second), "just now"}, {relative(90 * time.Second), "1 min ago"}, {relative(-time.Hour), "in 1 h"}, {relative(49 * time.Hour), "2 days ago"},
		{plural(1, "message"), "1 message"}, {plural(2000, "message"), "2,000 messages"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	var all bytes.Buffer
	for _, l := range diffLines("--- a\n+++ b\n@@ 1 @@\n-x\n+y\n z") {
		fmt.Fprintf(&all, "%s:%s|", l.Class, l.Text)
	}
	if got, want := all.String(), "note:--- a|note:+++ b|note:@@ 1 @@|minus:-x|plus:+y|: z|"; got != want {
		t.Errorf("diffLines = %q, want %q", got, want)
	}
}
