package host

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// DefaultFound is how many messages a search finds unless told otherwise.
const DefaultFound = 1000

// searchStep is how many messages a search reads at a time: each step sees the store
// at one moment, and keeps no pages from being used again for longer.
const searchStep = 512

// Query says what to search for.
type Query struct {
	// Text is looked for in the stored JSON as it is, and with its escapes
	// resolved, so that "é" finds "\u00e9", too. ASCII letters match in either
	// case. Every message has the empty text.
	Text string
	// Status are those of the messages to look at; all if there is none.
	Status []Status
	// From and To are the first and the last id to look at: all from the first if
	// From is 0, and to the newest if To is 0.
	From, To ID
	// Limit is how many messages to find: DefaultFound if 0.
	Limit int
}

// Search returns the messages that have a text, newest first. Damaged messages have
// none. It ends when it has found the limit, or when ctx ends, which is no error:
// more is then the newest id that it has not looked at, and the To of a query that
// goes on; it is 0 if nothing is left. Progress is told now and then how many of the
// messages it has looked at; it may be nil. It fails with ErrUnknownGroup or an
// error of the store, and returns then, too, what was found until then.
func (x *Exchange) Search(ctx context.Context, g GroupName, q Query, progress func(looked, total uint64)) (found []ID, more ID, err error) {
	if _, err := x.Queues.Queue(g); err != nil {
		return nil, 0, err
	}
	if q.Limit <= 0 {
		q.Limit = DefaultFound
	}
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	var looked, total uint64
	if more, total, err = x.toSearch(ctx, g, q); err != nil {
		return nil, more, err
	}
	text := newNeedle(q.Text)
	for more >= max(q.From, 1) {
		if ctx.Err() != nil {
			return found, more, nil
		}
		listed, err := x.Store.List(ctx, g, more+1, searchStep, q.Status...)
		if err != nil {
			return found, more, err
		}
		if len(listed) == 0 {
			break
		}
		for _, m := range listed {
			if m.ID < q.From {
				return found, 0, nil
			}
			if len(found) == q.Limit {
				return found, m.ID, nil
			}
			if !m.Damaged && text.in(m.Data) {
				found = append(found, m.ID)
			}
			looked, more = looked+1, m.ID-1
		}
		progress(looked, max(looked, total))
	}
	return found, 0, nil
}

// toSearch returns the newest id to look at and how many messages there are.
func (x *Exchange) toSearch(ctx context.Context, g GroupName, q Query) (newest ID, total uint64, err error) {
	counts, err := x.Store.Counts(ctx, g)
	if err != nil {
		return 0, 0, err
	}
	newest = counts.Last
	if q.To != 0 {
		newest = min(newest, q.To)
	}
	var ids Ranges
	ids.Add(Range{max(q.From, 1), newest})
	if counts, err = x.Store.CountIn(ctx, g, ids); err != nil {
		return newest, 0, err
	}
	by := map[Status]uint64{Unread: counts.Unread, Read: counts.Read, Held: counts.Held}
	for status, n := range by {
		if len(q.Status) == 0 || slices.Contains(q.Status, status) {
			total += n
		}
	}
	return newest, total, nil
}

// needle is a text to look for. It is not safe for concurrent use.
type needle struct {
	text []byte // in lower case
	buf  []byte
}

func newNeedle(text string) *needle { return &needle{text: lower(nil, []byte(text))} }

// in reports whether JSON has the text.
func (n *needle) in(data []byte) bool {
	n.buf = lower(n.buf[:0], data)
	if bytes.Contains(n.buf, n.text) {
		return true
	}
	if bytes.IndexByte(data, '\\') < 0 {
		return false
	}
	n.buf = appendUnescaped(n.buf[:0], data)
	return bytes.Contains(lower(n.buf[:0], n.buf), n.text)
}

// lower appends b to to, with A to Z in lower case. They may be the same bytes.
func lower(to, b []byte) []byte {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// appendUnescaped appends valid JSON to to, with the escapes of its strings resolved. What
// it appends is for searching and no JSON any more.
func appendUnescaped(to, data []byte) []byte {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 || i+1 == len(data) {
			return append(to, data...)
		}
		to = append(to, data[:i]...)
		c := data[i+1]
		data = data[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			var r rune
			r, data = unescapeRune(data)
			to = utf8.AppendRune(to, r)
			continue
		}
		to = append(to, c)
	}
}

// unescapeRune reads the digits that follow \u, and the other half of a pair.
func unescapeRune(data []byte) (rune, []byte) {
	r, data := hex4(data)
	if utf16.IsSurrogate(r) && len(data) >= 2 && data[0] == '\\' && data[1] == 'u' {
		if second, rest := hex4(data[2:]); utf16.DecodeRune(r, second) != utf8.RuneError {
			return utf16.DecodeRune(r, second), rest
		}
	}
	return r, data
}

func hex4(data []byte) (rune, []byte) {
	n := min(4, len(data))
	v, err := strconv.ParseUint(string(data[:n]), 16, 16)
	if err != nil {
		return utf8.RuneError, data[n:]
	}
	return rune(v), data[n:]
}
