package purity

import (
	"bytes"
	"fmt"
)

// How much of a document is shown around the first byte that differs.
const (
	contextBefore = 32
	contextAfter  = 48
)

// Difference shows where two answers differ, with some of both. The labels say
// whose each is.
func Difference(a, b Answer, labelA, labelB string) []string {
	width := max(len(labelA), len(labelB))
	both := func(x, y string) []string {
		return []string{fmt.Sprintf("%-*s  %s", width, labelA, x), fmt.Sprintf("%-*s  %s", width, labelB, y)}
	}
	switch {
	case len(a.Rejections) > 0 || len(b.Rejections) > 0:
		at := 0
		for at < min(len(a.Rejections), len(b.Rejections)) && a.Rejections[at] == b.Rejections[at] {
			at++
		}
		return both(rejection(a, at), rejection(b, at))
	case a.Document.ContentType != b.Document.ContentType:
		return both("content type "+a.Document.ContentType, "content type "+b.Document.ContentType)
	case a.Document.Filename != b.Document.Filename:
		return both("file name "+a.Document.Filename, "file name "+b.Document.Filename)
	}
	x, y := a.Document.Body, b.Document.Body
	at := firstDifference(x, y)
	lines := []string{fmt.Sprintf("first different byte: %d, in line %d; they have %d and %d bytes",
		at, bytes.Count(x[:at], []byte("\n"))+1, len(x), len(y))}
	return append(lines, both(around(x, at), around(y, at))...)
}

// rejection describes one of an answer's rejections, or what is there instead.
func rejection(o Answer, at int) string {
	switch {
	case len(o.Rejections) == 0:
		return "a document"
	case at >= len(o.Rejections):
		return "no more rejections"
	}
	return fmt.Sprintf("message %d rejected: %.100q", o.Rejections[at].ID, o.Rejections[at].Reason)
}

// firstDifference returns the first offset at which x and y differ.
func firstDifference(x, y []byte) int {
	n := min(len(x), len(y))
	for i := range n {
		if x[i] != y[i] {
			return i
		}
	}
	return n
}

// around quotes what is before and after an offset.
func around(body []byte, at int) string {
	from, to := max(0, at-contextBefore), min(len(body), at+contextAfter)
	text := fmt.Sprintf("%q", body[from:to])
	if from > 0 {
		text = "…" + text
	}
	if to < len(body) {
		text += "…"
	}
	return text
}
