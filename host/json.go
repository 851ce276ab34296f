package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may be nested in a message. The
// parsers of receivers have limits of their own, which begin about here.
const MaxDepth = 128

// CheckData returns data without the white space around it, or a *DataError
// unless it is one JSON value that every receiver reads alike: RFC 8259 text
// that also keeps to I-JSON (RFC 7493, section 2), which asks for valid UTF-8,
// no lone surrogates and no two members of an object with the same name. Null
// is refused, as it says nothing. Numbers may be of any size: their text is
// kept. The standard library's json.Valid lets bad UTF-8 and duplicates pass.
func CheckData(data []byte) (json.RawMessage, error) {
	data = bytes.Trim(data, " \t\r\n")
	if len(data) == 0 {
		return nil, &DataError{Reason: "there is no JSON value"}
	}
	if string(data) == "null" {
		return nil, &DataError{Reason: "null is not a message"}
	}
	c := scanners.Get().(*scanner)
	defer scanners.Put(c)
	c.data, c.at, c.names = data, 0, c.names[:0]
	err := c.value(0)
	if err == nil && c.at < len(data) {
		err = c.fault("more text after the JSON value; several messages are sent as NDJSON, one on a line")
	}
	c.data = nil
	if err != nil {
		return nil, err
	}
	return data, nil
}

// CheckLines splits NDJSON, one value on a line, and checks every value. Empty
// lines are passed over. The first bad line is named in the error, which wraps
// ErrTooLarge if there are more than MaxAddition values.
func CheckLines(text []byte) ([]json.RawMessage, error) {
	var all []json.RawMessage
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		data, err := CheckData(line)
		if err != nil {
			if fault, ok := err.(*DataError); ok {
				fault.Line = n
			}
			return nil, err
		}
		if len(all) == MaxAddition {
			return nil, fmt.Errorf("%w: more than %d messages in one request", ErrTooLarge, MaxAddition)
		}
		all = append(all, data)
	}
	if len(all) == 0 {
		return nil, &DataError{Reason: "there is no JSON value"}
	}
	return all, nil
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// scanner walks JSON text without building anything from it.
type scanner struct {
	data []byte
	at   int
	// names holds the member names of the objects that are open, outermost
	// first.
	names [][]byte
}

func (c *scanner) fault(format string, args ...any) error {
	return &DataError{Offset: c.at, Reason: fmt.Sprintf(format, args...)}
}

// peek skips white space and returns the next byte, 0 at the end.
func (c *scanner) peek() byte {
	for c.at < len(c.data) {
		switch b := c.data[c.at]; b {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return b
		}
	}
	return 0
}

func (c *scanner) unexpected(wanted string) error {
	if c.at >= len(c.data) {
		return c.fault("the text ends where %s should be", wanted)
	}
	r, _ := utf8.DecodeRune(c.data[c.at:])
	return c.fault("%q where %s should be", r, wanted)
}

func (c *scanner) value(depth int) error {
	b := c.peek()
	switch {
	case b == '"':
		_, err := c.text()
		return err
	case b == '{' || b == '[':
		if depth == MaxDepth {
			return c.fault("nested more than %d deep", MaxDepth)
		}
		if b == '[' {
			return c.array(depth + 1)
		}
		return c.object(depth + 1)
	case b == '-' || '0' <= b && b <= '9':
		return c.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(string(c.data[c.at:min(len(c.data), c.at+5)]), word) {
			c.at += len(word)
			return nil
		}
	}
	return c.unexpected("a JSON value")
}

func (c *scanner) array(depth int) error {
	c.at++
	if c.peek() == ']' {
		c.at++
		return nil
	}
	for {
		if err := c.value(depth); err != nil {
			return err
		}
		switch c.peek() {
		case ',':
			c.at++
		case ']':
			c.at++
			return nil
		default:
			return c.unexpected("\",\" or \"]\"")
		}
	}
}

func (c *scanner) object(depth int) error {
	first := len(c.names)
	err := c.members(func(name, _ []byte) error {
		if slices.ContainsFunc(c.names[first:min(len(c.names), first+fewNames)], func(n []byte) bool { return bytes.Equal(n, name) }) {
			return c.fault("the name %q is twice in one object", name)
		}
		c.names = append(c.names, name)
		return c.value(depth)
	})
	if err == nil && len(c.names)-first > fewNames {
		err = c.duplicate(c.names[first:])
	}
	c.names = c.names[:first]
	return err
}

// fewNames is up to how many names of an object are compared one by one; the
// rest are looked at once, sorted, so that a large object can't cost the
// square of its size.
const fewNames = 16

func (c *scanner) duplicate(names [][]byte) error {
	slices.SortFunc(names, bytes.Compare)
	for i := 1; i < len(names); i++ {
		if bytes.Equal(names[i-1], names[i]) {
			return c.fault("the name %q is twice in one object", names[i])
		}
	}
	return nil
}

// members walks the object at c.at and calls each for every name, as it reads
// and as it is written, with c.at before the value, which each has to pass.
func (c *scanner) members(each func(name, quoted []byte) error) error {
	c.at++
	if c.peek() == '}' {
		c.at++
		return nil
	}
	for {
		if c.peek() != '"' {
			return c.unexpected("a name in quotes")
		}
		from := c.at
		name, err := c.text()
		if err != nil {
			return err
		}
		quoted := c.data[from:c.at]
		if c.peek() != ':' {
			return c.unexpected("\":\"")
		}
		c.at++
		if err := each(name, quoted); err != nil {
			return err
		}
		switch c.peek() {
		case ',':
			c.at++
		case '}':
			c.at++
			return nil
		default:
			return c.unexpected("\",\" or \"}\"")
		}
	}
}

func (c *scanner) number() error {
	digits := func() bool {
		from := c.at
		for c.at < len(c.data) && '0' <= c.data[c.at] && c.data[c.at] <= '9' {
			c.at++
		}
		return c.at > from
	}
	next := func(any string) bool {
		if c.at < len(c.data) && strings.IndexByte(any, c.data[c.at]) >= 0 {
			c.at++
			return true
		}
		return false
	}
	next("-")
	if !next("0") && !digits() {
		return c.unexpected("a digit")
	}
	if next(".") && !digits() {
		return c.unexpected("a digit")
	}
	if next("eE") {
		next("+-")
		if !digits() {
			return c.unexpected("a digit")
		}
	}
	return nil
}
