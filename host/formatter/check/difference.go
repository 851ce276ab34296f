package check

import (
	"bytes"
	"fmt"
)

// How much of a document is shown around the first byte that differs.
const (
	contextBefore = 32
	contextAfter  = 48
)

// difference shows where two answers differ, with some of both. The labels say
// whose each is.
func difference(a, b outcome, labelA, labelB string) []string {
	width := max(len(labelA), len(labelB))
	both := func(x, y string) []string {
		return []string{fmt.Sprintf("%-*s  %s", width, labelA, x), fmt.Sprintf("%-*s  %s", width, labelB, y)}
	}
	switch {
	case len(a.rejections) > 0 || len(b.rejections) > 0:
		at := 0
		for at < min(len(a.rejections), len(b.rejections)) && a.rejections[at] == b.rejections[at] {
			at++
		}
		return both(rejection(a, at), rejection(b, at))
	case a.document.ContentType != b.document.ContentType:
		return both("content type "+a.document.ContentType, "content type "+b.document.ContentType)
	case a.document.Filename != b.document.Filename:
		return both("file name "+a.document.Filename, "file name "+b.document.Filename)
	}
	x, y := a.document.Body, b.document.Body
	at := firstDifference(x, y)
	lines := []string{fmt.Sprintf("first different byte: %s, in line %s; they have %s and %s",
		thousands(at), thousands(bytes.Count(x[:at], []byte("\n"))+1), thousands(len(x)), count(len(y), "byte"))}
	return append(lines, both(around(x, at), around(y, at))...)
}

// rejection describes one of an answer's rejections, or what is there instead.
func rejection(o outcome, at int) string {
	switch {
	case len(o.rejections) == 0:
		return "a document"
	case at >= len(o.rejections):
		return "no more rejections"
	}
	return clip(fmt.Sprintf("message %d rejected: %s", o.rejections[at].ID, o.rejections[at].Reason), 120)
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
