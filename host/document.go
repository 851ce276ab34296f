package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Batch is what a formatter gets: messages of one group, oldest first, and the
// token that names them.
type Batch struct {
	Group    GroupName
	Token    Token
	Messages []Message
}

// IDs returns the ids of the messages.
func (b Batch) IDs() Ranges {
	var ids Ranges
	for _, m := range b.Messages {
		ids.Add(Range{m.ID, m.ID})
	}
	return ids
}

// Document is a formatted batch.
type Document struct {
	// ContentType is a media type (RFC 9110, section 8.3.1).
	ContentType string
	// Filename is what a receiver might save the document as; may be empty.
	Filename string
	Body     []byte
	// Origin is who wrote it.
	Origin Origin
}

// Equal tells whether a receiver would get the same of both.
func (d Document) Equal(other Document) bool {
	return d.ContentType == other.ContentType && d.Filename == other.Filename && bytes.Equal(d.Body, other.Body)
}

// MaxFilenameBytes is the longest file name of a document.
const MaxFilenameBytes = 255

// Check returns an error that says what is wrong unless the content type and
// the file name can be written into a response. It is for documents that come
// from outside.
func (d Document) Check() error {
	if d.ContentType == "" {
		return fmt.Errorf("the document has no content type")
	}
	if strings.ContainsFunc(d.ContentType, notHeaderText) {
		return fmt.Errorf("the content type %q has characters that a header can't carry", d.ContentType)
	}
	if kind, _, err := mime.ParseMediaType(d.ContentType); err != nil || !strings.Contains(kind, "/") {
		return fmt.Errorf("the content type %q is not a media type such as \"application/xml\"", d.ContentType)
	}
	switch {
	case len(d.Filename) > MaxFilenameBytes:
		return fmt.Errorf("the file name has %d bytes, at most %d are allowed", len(d.Filename), MaxFilenameBytes)
	case !utf8.ValidString(d.Filename):
		return fmt.Errorf("the file name %q is not valid UTF-8", d.Filename)
	case strings.ContainsFunc(d.Filename, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' || r == '\\' }),
		d.Filename == ".", d.Filename == "..":
		return fmt.Errorf("the file name %q could not be the name of a file", d.Filename)
	}
	return nil
}

func notHeaderText(r rune) bool { return r < ' ' || r > '~' }

// WriteDefault writes the default format, which is used for groups without a
// formatter. It is Haplo's, byte for byte: JSON indented by two spaces with
// version 0, the token, and for each message its id and datetime and then the
// properties of its data in their own order. A property of the data called id
// or datetime takes the place of ours. Data that is no object goes under
// "data". Strings and numbers keep the very text that they were added with. A
// document that indentation would make larger than 64 MiB is left without it: a
// message of a few MiB can be nested so deep that it would become gigabytes.
func WriteDefault(b Batch) (Document, error) {
	var raw []byte
	raw = append(raw, `{"version":0,"token":`...)
	raw = strconv.AppendQuote(raw, string(b.Token))
	raw = append(raw, `,"messages":[`...)
	for i, m := range b.Messages {
		if i > 0 {
			raw = append(raw, ',')
		}
		var err error
		if raw, err = appendMessage(raw, m); err != nil {
			return Document{}, fmt.Errorf("message %d: %w", m.ID, err)
		}
	}
	raw = append(raw, "]}"...)
	document := Document{ContentType: "application/json", Filename: string(b.Group) + ".json", Body: raw}
	size := indentedSize(raw)
	if size > maxIndented {
		return document, nil
	}
	var out bytes.Buffer
	out.Grow(size)
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return Document{}, err
	}
	document.Body = out.Bytes()
	return document, nil
}

const maxIndented = 64 << 20

// indentedSize returns at least how many bytes valid JSON has when it is
// indented by two spaces.
func indentedSize(text []byte) (size int) {
	depth := 0
	for i := 0; i < len(text); i++ {
		size++
		switch text[i] {
		case '"':
			from := i
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			size += i - from
		case '{', '[':
			depth++
			size += 1 + 2*depth
		case '}', ']':
			depth--
			size += 1 + 2*depth
		case ',':
			size += 1 + 2*depth
		case ':':
			size++
		}
	}
	return size
}

// appendMessage writes one message as a JSON object.
func appendMessage(raw []byte, m Message) ([]byte, error) {
	id := strconv.AppendUint(nil, uint64(m.ID), 10)
	datetime := m.Time.UTC().AppendFormat(nil, `"`+time.RFC3339+`"`)
	var rest []byte
	property := func(quoted, value []byte) {
		rest = append(rest, ',')
		rest = append(rest, quoted...)
		rest = append(rest, ':')
		rest = append(rest, value...)
	}
	if m.Data[0] == '{' {
		c := scanner{data: m.Data}
		err := c.members(func(name, quoted []byte) error {
			c.peek()
			from := c.at
			err := c.value(1)
			switch value := m.Data[from:c.at]; string(name) {
			case "id":
				id = value
			case "datetime":
				datetime = value
			default:
				property(quoted, value)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	} else {
		property([]byte(`"data"`), m.Data)
	}
	raw = append(raw, `{"id":`...)
	raw = append(raw, id...)
	raw = append(raw, `,"datetime":`...)
	raw = append(raw, datetime...)
	raw = append(raw, rest...)
	return append(raw, '}'), nil
}
