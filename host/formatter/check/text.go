package check

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/restante/restante/host"
)

// WriteText writes the report for people: a line for each check, what to do
// and details below it, and the sum.
func (r Report) WriteText(w io.Writer) error {
	var b bytes.Buffer
	title := r.File
	if r.Plugin != "" {
		title = strings.TrimSpace(r.Plugin+" "+r.Version) + ", " + r.File
	}
	fmt.Fprintf(&b, "%s\n\n", printable(title))
	width := 0
	for _, c := range r.Checks {
		width = max(width, len(c.Name))
	}
	var group host.GroupName
	for _, c := range r.Checks {
		if c.Group != group {
			group = c.Group
			b.WriteByte('\n')
			if group != "" {
				fmt.Fprintf(&b, "Group %s\n", group)
			}
		}
		fmt.Fprintf(&b, "  %-7s  %-*s  %s\n", c.Status, width, c.Name, printable(c.Seen))
		for _, d := range c.Details {
			fmt.Fprintf(&b, "%*s%s\n", width+15, "", printable(d))
		}
		if c.Do != "" {
			fmt.Fprintf(&b, "%*s→ %s\n", width+13, "", printable(c.Do))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.sum())
	_, err := w.Write(b.Bytes())
	return err
}

// sum says in one sentence how it went.
func (r Report) sum() string {
	failed, warnings, skipped := r.Count(Failed), r.Count(Warning), r.Count(Skipped)
	var rest string
	if warnings > 0 {
		rest += ", " + count(warnings, "warning")
	}
	if skipped > 0 {
		rest += fmt.Sprintf(", %d skipped", skipped)
	}
	if failed == 0 {
		return fmt.Sprintf("Nothing failed in %s%s.", count(len(r.Checks), "check"), rest)
	}
	return fmt.Sprintf("%d of %s failed%s.", failed, count(len(r.Checks), "check"), rest)
}

// printable takes out of text from a plugin what could take over a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

// count writes "1 message" and "1,000 messages".
func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	if strings.HasSuffix(of, "s") {
		of += "e"
	}
	return thousands(n) + " " + of + "s"
}

func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// size writes a number of bytes for people.
func size[N int | int64](n N) string {
	switch {
	case n < 10<<10:
		return count(int(n), "byte")
	case n < 10<<20:
		return thousands(int(n+1<<9)>>10) + " KiB"
	}
	return thousands(int(n+1<<19)>>20) + " MiB"
}
