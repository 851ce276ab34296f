package sdktest

import "fmt"

// difference describes the first byte in which two texts differ, with what is
// around it.
func difference(got, want []byte) string {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	line := 1
	for _, b := range got[:at] {
		if b == '\n' {
			line++
		}
	}
	return fmt.Sprintf("first difference at byte %d, line %d (of %d and %d bytes):\n  got  %s\n  want %s",
		at, line, len(got), len(want), around(got, at), around(want, at))
}

// around quotes some of the text before and after a byte.
func around(text []byte, at int) string {
	const reach = 40
	start, end := max(0, at-reach), min(len(text), at+reach)
	before, after := "", ""
	if start > 0 {
		before = "…"
	}
	if end < len(text) {
		after = "…"
	}
	return fmt.Sprintf("%s%q%s", before, text[start:end], after)
}
