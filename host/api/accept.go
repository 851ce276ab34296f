package api

import (
	"mime"
	"strconv"
	"strings"
)

// prefersJSON reports whether the Accept headers of a request want
// application/json more than text/plain (RFC 9110, section 12.5.1). Of the
// media ranges that match a type the most specific one counts. A client that
// wants both alike, or neither, gets text.
func prefersJSON(accept []string) bool {
	if len(accept) == 0 {
		return false
	}
	var json, text preference
	for _, header := range accept {
		for element := range elements(header) {
			media, params, err := mime.ParseMediaType(element)
			if err != nil {
				continue
			}
			q := 1.0
			if s, ok := params["q"]; ok {
				if q, err = strconv.ParseFloat(s, 64); err != nil || !(q >= 0 && q <= 1) {
					continue
				}
			}
			json.consider("application", "json", media, q)
			text.consider("text", "plain", media, q)
		}
	}
	return json.q > text.q
}

// preference is how much a client wants a media type, from 0 to 1.
type preference struct {
	q           float64
	specificity int
}

func (p *preference) consider(kind, subtype, mediaRange string, q float64) {
	specificity := 0
	switch mediaRange {
	case "*/*":
		specificity = 1
	case kind + "/*":
		specificity = 2
	case kind + "/" + subtype:
		specificity = 3
	}
	if specificity > p.specificity || specificity == p.specificity && specificity > 0 && q > p.q {
		*p = preference{q, specificity}
	}
}

// elements yields the parts of a header between its commas. A comma in a quoted
// string is none.
func elements(header string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		from, quoted := 0, false
		for i := 0; i < len(header); i++ {
			switch c := header[i]; {
			case c == '"':
				quoted = !quoted
			case c == '\\' && quoted:
				i++
			case c == ',' && !quoted:
				if !yield(strings.TrimSpace(header[from:i])) {
					return
				}
				from = i + 1
			}
		}
		yield(strings.TrimSpace(header[from:]))
	}
}
