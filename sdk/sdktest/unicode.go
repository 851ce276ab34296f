package sdktest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// unicodeTexts are strings that a JSON message may carry and that formats tend
// to get wrong.
func unicodeTexts() []string {
	return []string{
		"",
		" leading and trailing ",
		"Zoë Ångström-Łukasiewicz",
		"Zoe\u0308 (decomposed)",
		"张伟 さくら 김민준",
		"محمد שָׁלוֹם", // right to left
		"👩🏽‍🎓 🏳️‍🌈 𝔘𝔫𝔦", // beyond the basic plane, joined
		`<b>&amp; ]]> "quoted" 'single' \ /`,
		"comma, semicolon; tab\tequals=1+1",
		"line\nfeed, carriage\r\nreturn",
		"\u2028line\u2029paragraph\u0085next",
		"nul \x00 bell \a escape \x1b",
		"\ufeffbyte order mark, \ufffd, \ufffe, \uffff",
		strings.Repeat("Größe ", 2000),
	}
}

// unicodeVariants returns messages that are like the samples but for one string
// value each, which is replaced: every string of a sample is replaced once for
// each of the texts. Only a few samples are used.
func unicodeVariants(samples []json.RawMessage) []json.RawMessage {
	var variants []json.RawMessage
	for i, text := range unicodeTexts() {
		replacement := quote(text)
		sample := samples[i%len(samples)]
		for _, at := range stringValues(sample) {
			variants = append(variants, slices.Concat(sample[:at.start], replacement, sample[at.end:]))
		}
	}
	return variants
}

// quote writes the text as a JSON string without HTML escapes.
func quote(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic(err) // a string always marshals
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

type span struct{ start, end int }

// stringValues returns where the string values of a JSON text are. Names of
// properties are no values.
func stringValues(text json.RawMessage) []span {
	dec := json.NewDecoder(bytes.NewReader(text))
	type level struct{ object, name bool } // name: a property's name comes next
	var stack []level
	var found []span
	for {
		token, err := dec.Token()
		if err != nil {
			return found
		}
		top := len(stack) - 1
		switch token {
		case json.Delim('{'), json.Delim('['):
			stack = append(stack, level{object: token == json.Delim('{'), name: true})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
			top--
		default:
			isName := top >= 0 && stack[top].object && stack[top].name
			if _, ok := token.(string); ok && !isName {
				found = append(found, stringEndingAt(text, int(dec.InputOffset())))
			}
			if isName {
				stack[top].name = false
				continue
			}
		}
		if top >= 0 { // a value has ended
			stack[top].name = true
		}
	}
}

// stringEndingAt finds the start of the string whose closing quote is the last
// byte before end. The quotes inside a string follow an odd number of
// backslashes.
func stringEndingAt(text []byte, end int) span {
	for start := end - 2; start >= 0; start-- {
		if text[start] != '"' {
			continue
		}
		slashes := 0
		for start-slashes > 0 && text[start-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return span{start, end}
		}
	}
	return span{end, end}
}
