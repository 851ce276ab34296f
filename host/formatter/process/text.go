package process

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// oneLine returns text from a plugin so that it can be shown in one line: valid
// UTF-8, white space and control characters as single spaces, at most about
// limit bytes.
func oneLine(text string, limit int) string {
	// Nothing is gained by cleaning megabytes that are cut off afterwards.
	if len(text) > 4*limit {
		text = text[:4*limit]
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return clip(strings.Join(strings.Fields(text), " "), limit)
}

// paragraph returns text from a plugin with its lines kept: valid UTF-8, no
// control characters but line feed and tab, at most limit bytes.
func paragraph(text string, limit int) string {
	return clip(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(clip(text, limit), "\uFFFD")), limit)
}

// clip cuts text to limit bytes, "…" included, and never inside a character.
func clip(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit {
		return text
	}
	cut := max(0, limit-len(ellipsis))
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + ellipsis
}
