package admin

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"mime"
	"strings"
	"unicode/utf8"
)

const (
	// maxShown is how much of a document a page shows: 64 KiB, which marking can
	// make twenty times as long.
	maxShown = 64 << 10
	// maxHex is how much of one that is no text.
	maxHex = 16 << 10
)

// shown is a document as a page shows it.
type shown struct {
	ContentType string
	Filename    string
	Size        int
	// Cut says that only the beginning is shown.
	Cut bool
	// Kind is json, xml, text or hex.
	Kind string
	HTML template.HTML
}

// showDocument makes text that is safe to show out of any bytes. It looks at no
// more of them than it shows.
func showDocument(contentType, filename string, body []byte) shown {
	s := shown{ContentType: short(contentType, 200), Filename: short(filename, 200), Size: len(body)}
	text := body
	if s.Cut = len(text) > maxShown; s.Cut {
		cut := maxShown
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		s.Kind = "hex"
		s.Cut = len(body) > maxHex
		s.HTML = template.HTML(template.HTMLEscapeString(hex.Dump(body[:min(len(body), maxHex)])))
		return s
	}
	kind, _, _ := mime.ParseMediaType(contentType)
	switch {
	case kind == "application/json", strings.HasSuffix(kind, "+json"), kind == "text/json":
		s.Kind, s.HTML = "json", highlightJSON(text)
	case kind == "application/xml", strings.HasSuffix(kind, "+xml"), kind == "text/xml":
		s.Kind, s.HTML = "xml", highlightXML(text)
	default:
		s.Kind, s.HTML = "text", template.HTML(template.HTMLEscapeString(string(text)))
	}
	return s
}

// showJSON shows stored data, laid out in lines. Data that would be cut is left
// as it is: what is nested deep becomes a hundred times as long.
func showJSON(data []byte) shown {
	var b bytes.Buffer
	if len(data) > maxShown || json.Indent(&b, data, "", "  ") != nil || b.Len() > maxShown {
		return showDocument("application/json", "", data)
	}
	s := showDocument("application/json", "", b.Bytes())
	s.Size = len(data)
	return s
}

// marks writes text with some of its parts marked, all of it escaped.
type marks struct{ b strings.Builder }

func (m *marks) plain(text []byte) { template.HTMLEscape(&m.b, text) }

func (m *marks) mark(class string, text []byte) {
	m.b.WriteString(`<span class="`)
	m.b.WriteString(class)
	m.b.WriteString(`">`)
	m.plain(text)
	m.b.WriteString("</span>")
}

func (m *marks) html() template.HTML { return template.HTML(m.b.String()) }

// highlightJSON marks names, strings, numbers and words. It does not mind if the
// text is cut, or no JSON at all.
func highlightJSON(text []byte) template.HTML {
	var m marks
	for i := 0; i < len(text); {
		from := i
		switch c := text[i]; {
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			i = min(i+1, len(text))
			class := "str"
			if rest := bytes.TrimLeft(text[i:], " \t\r\n"); len(rest) > 0 && rest[0] == ':' {
				class = "name"
			}
			m.mark(class, text[from:i])
		case c == '-' || '0' <= c && c <= '9':
			for i++; i < len(text) && strings.IndexByte("+-.eE0123456789", text[i]) >= 0; i++ {
			}
			m.mark("num", text[from:i])
		case 'a' <= c && c <= 'z':
			for i++; i < len(text) && 'a' <= text[i] && text[i] <= 'z'; i++ {
			}
			m.mark("word", text[from:i])
		default:
			for i++; i < len(text) && !(text[i] == '"' || text[i] == '-' || '0' <= text[i] && text[i] <= '9' || 'a' <= text[i] && text[i] <= 'z'); i++ {
			}
			m.plain(text[from:i])
		}
	}
	return m.html()
}

// highlightXML marks tags, names and values of attributes, and comments. It does
// not mind if the text is cut, or no XML at all.
func highlightXML(text []byte) template.HTML {
	var m marks
	for len(text) > 0 {
		open := bytes.IndexByte(text, '<')
		if open < 0 {
			open = len(text)
		}
		m.plain(text[:open])
		text = text[open:]
		if len(text) == 0 {
			break
		}
		if until, ok := section(text); ok {
			m.mark("note", text[:until])
			text = text[until:]
			continue
		}
		text = m.tag(text)
	}
	return m.html()
}

// section returns the length of a comment, a declaration or the like.
func section(text []byte) (length int, ok bool) {
	for start, end := range map[string]string{"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>", "<!D": ">"} {
		if bytes.HasPrefix(text, []byte(start)) {
			if i := bytes.Index(text, []byte(end)); i >= 0 {
				return i + len(end), true
			}
			return len(text), true
		}
	}
	return 0, false
}

// tag marks a tag and returns what follows it.
func (m *marks) tag(text []byte) []byte {
	i := 1
	for i < len(text) && !strings.ContainsRune(" \t\r\n>", rune(text[i])) {
		i++
	}
	m.mark("name", text[:i])
	for i < len(text) && text[i] != '>' {
		from := i
		switch c := text[i]; c {
		case '"', '\'':
			for i++; i < len(text) && text[i] != c; i++ {
			}
			i = min(i+1, len(text))
			m.mark("str", text[from:i])
		default:
			for i++; i < len(text) && strings.IndexByte(`"'>`, text[i]) < 0; i++ {
			}
			m.mark("num", text[from:i])
		}
	}
	if i < len(text) {
		m.mark("name", text[i:i+1])
		i++
	}
	return text[i:]
}

// diffLine is a line of a unified diff.
type diffLine struct{ Class, Text string }

func diffLines(diff string) []diffLine {
	var all []diffLine
	for line := range strings.Lines(diff) {
		class := ""
		switch {
		case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"), strings.HasPrefix(line, "@@"):
			class = "note"
		case strings.HasPrefix(line, "+"):
			class = "plus"
		case strings.HasPrefix(line, "-"):
			class = "minus"
		}
		all = append(all, diffLine{class, strings.TrimSuffix(line, "\n")})
	}
	return all
}
