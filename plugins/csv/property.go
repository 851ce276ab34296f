package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// property is one cell of a message's row.
type property struct {
	column string
	cell   string
}

var errNotJSON = errors.New("the data is not valid JSON")

// propertiesOf returns the properties of a message in their own order. It cuts
// the text up, since a map would lose the order, a float64 the digits, and a
// json.Decoder most of the time that a fetch takes.
func propertiesOf(data json.RawMessage) ([]property, error) {
	if !json.Valid(data) {
		return nil, errNotJSON
	}
	rest := trim(data)
	if rest[0] != '{' {
		cell, err := cellOf(rest)
		return []property{{column: "data", cell: cell}}, err
	}
	var properties []property
	for rest = trim(rest[1:]); rest[0] != '}'; rest = trim(bytes.TrimPrefix(rest, []byte(","))) {
		var name, value []byte
		name, rest = cut(rest)
		value, rest = cut(trim(trim(rest)[1:])) // after the colon
		column, err := textOf(name)
		if err != nil {
			return nil, err
		}
		cell, err := cellOf(value)
		if err != nil {
			return nil, err
		}
		properties = append(properties, property{column: columnOf(column), cell: cell})
		rest = trim(rest)
	}
	return properties, nil
}

func trim(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// cut splits the first value off valid JSON text, which begins with it.
func cut(text []byte) (value, rest []byte) {
	depth := 0
	for i := 0; i < len(text); i++ {
		end := -1 // where the value ends, if it ends here
		switch text[i] {
		case '"':
			i = closingQuote(text, i)
			end = i + 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return text[:i], text[i:] // a number or a word, last in its object
			}
			end = i + 1
		case ',', ' ', '\t', '\r', '\n':
			end = i
		}
		if end > 0 && depth == 0 {
			return text[:end], text[end:]
		}
	}
	return text, nil
}

// closingQuote returns where the string ends that begins at text[i].
func closingQuote(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// compact returns valid JSON text without the white space between its parts.
func compact(text []byte) string {
	var b strings.Builder
	b.Grow(len(text))
	from := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = closingQuote(text, i)
		case ' ', '\t', '\r', '\n':
			b.Write(text[from:i])
			from = i + 1
		}
	}
	b.Write(text[from:])
	return b.String()
}

// columnOf returns the column of a property: its name, unless that would clash
// with the columns id and datetime.
func columnOf(name string) string {
	const prefix = "data."
	bare := name
	for strings.HasPrefix(bare, prefix) {
		bare = strings.TrimPrefix(bare, prefix)
	}
	if bare == "id" || bare == "datetime" {
		return prefix + name
	}
	return name
}

// cellOf returns the text of a cell.
func cellOf(value []byte) (string, error) {
	switch value[0] {
	case '"':
		return textOf(value)
	case '{', '[':
		return compact(value), nil
	case 'n':
		return "", nil
	default:
		return string(bytes.TrimRight(value, " \t\r\n")), nil
	}
}

// textOf returns what a string in quotes says.
func textOf(quoted []byte) (text string, err error) {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), nil
	}
	err = json.Unmarshal(quoted, &text)
	return text, err
}
