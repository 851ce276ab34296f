package formatter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/restante/restante/host"
)

const (
	// maxDiffed is the largest document that is compared line by line.
	maxDiffed = 256 << 10
	// maxDiff is where a diff is cut.
	maxDiff = 8 << 10
)

// Diff shows how two documents differ, for people: what a header says on a line
// of its own, then the bodies line by line, JSON and XML laid out. It is cut at 8
// KiB.
func Diff(before, after host.Document) string {
	if !utf8.Valid(before.Body) || !utf8.Valid(after.Body) || max(len(before.Body), len(after.Body)) > maxDiffed {
		at := 0
		for at < min(len(before.Body), len(after.Body)) && before.Body[at] == after.Body[at] {
			at++
		}
		return fmt.Sprintf("%s\nthe bodies have %d and %d bytes and differ from byte %d on", heads(before, after), len(before.Body), len(after.Body), at)
	}
	text := heads(before, after) + udiff.Unified("before", "after", lines(before), lines(after))
	if len(text) > maxDiff {
		text = strings.ToValidUTF8(text[:maxDiff], "") + "\n… (cut)"
	}
	return text
}

func heads(before, after host.Document) string {
	var b strings.Builder
	line := func(what, from, to string) {
		if from != to {
			fmt.Fprintf(&b, "-%s: %s\n+%s: %s\n", what, from, what, to)
		}
	}
	line("Content-Type", before.ContentType, after.ContentType)
	line("Filename", before.Filename, after.Filename)
	return b.String()
}

// lines lays a body out so that its parts stand on lines of their own: JSON
// indented, and XML with a line for every tag that follows another. JSON that is
// nested so deep that it would become too large to be compared is left as it is.
func lines(d host.Document) string {
	kind, _, _ := mime.ParseMediaType(d.ContentType)
	text := d.Body
	switch {
	case strings.HasSuffix(kind, "json"):
		var b bytes.Buffer
		if indentedSize(text) <= maxDiffed && json.Indent(&b, text, "", "  ") == nil {
			text = b.Bytes()
		}
	case strings.HasSuffix(kind, "xml"):
		text = bytes.ReplaceAll(text, []byte("><"), []byte(">\n<"))
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		return string(text) + "\n"
	}
	return string(text)
}

// indentedSize returns about how many bytes JSON has when it is indented.
func indentedSize(text []byte) int {
	size, depth, quoted := len(text), 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			size += 2 * depth
		case c == '}' || c == ']':
			depth--
			size += 2 * depth
		case c == ',':
			size += 2 * depth
		}
	}
	return size
}
