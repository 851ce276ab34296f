package host

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// text passes the string at c.at and returns what it says, without quotes and
// with its escapes resolved.
func (c *scanner) text() ([]byte, error) {
	start := c.at
	c.at++
	escaped := false
	for c.at < len(c.data) {
		switch b := c.data[c.at]; {
		case b == '"':
			c.at++
			if escaped {
				return unescape(c.data[start:c.at]), nil
			}
			return c.data[start+1 : c.at-1], nil
		case b == '\\':
			escaped = true
			if err := c.escape(); err != nil {
				return nil, err
			}
		case b < ' ':
			return nil, c.fault("a raw control character in a string; write it as \\u%04x", b)
		case b < utf8.RuneSelf:
			c.at++
		default:
			r, n := utf8.DecodeRune(c.data[c.at:])
			if r == utf8.RuneError && n == 1 {
				return nil, c.fault("not valid UTF-8")
			}
			c.at += n
		}
	}
	return nil, c.fault("a string without its closing quote")
}

// escape passes the escape sequence at c.at.
func (c *scanner) escape() error {
	if c.at+1 < len(c.data) {
		switch c.data[c.at+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			c.at += 2
			return nil
		}
	}
	high, ok := c.unit(c.at)
	if !ok {
		return c.fault("not an escape sequence of JSON")
	}
	switch {
	case 0xD800 <= high && high < 0xDC00:
		if low, ok := c.unit(c.at + 6); !ok || low < 0xDC00 || low > 0xDFFF {
			return c.fault("half of a surrogate pair: \\u%04x stands alone", high)
		}
		c.at += 12
	case 0xDC00 <= high && high < 0xE000:
		return c.fault("half of a surrogate pair: \\u%04x stands alone", high)
	default:
		c.at += 6
	}
	return nil
}

// unit reads the UTF-16 code unit of a \u escape.
func (c *scanner) unit(at int) (uint64, bool) {
	if at+6 > len(c.data) || c.data[at] != '\\' || c.data[at+1] != 'u' {
		return 0, false
	}
	for _, b := range c.data[at+2 : at+6] {
		switch {
		case '0' <= b && b <= '9', 'a' <= b && b <= 'f', 'A' <= b && b <= 'F':
		default:
			return 0, false
		}
	}
	v, err := strconv.ParseUint(string(c.data[at+2:at+6]), 16, 16)
	return v, err == nil
}

// unescape is for a string that text has found to be valid.
func unescape(quoted []byte) []byte {
	var s string
	_ = json.Unmarshal(quoted, &s)
	return []byte(s)
}
