package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// property is one cell of a message's row.
type property struct {
	column string
	cell   string
}

var errNotJSON = errors.New("the data is not valid JSON")

// propertiesOf returns the properties of a message in their own order. It walks
// the tokens, since a map would lose the order and a float64 the digits.
func propertiesOf(data json.RawMessage) ([]property, error) {
	if !json.Valid(data) {
		return nil, errNotJSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	first, err := dec.Token()
	if err != nil {
		return nil, errNotJSON
	}
	if first != json.Delim('{') {
		cell, err := cellOf(data)
		return []property{{column: "data", cell: cell}}, err
	}

	var properties []property
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, errNotJSON
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errNotJSON
		}
		cell, err := cellOf(value)
		if err != nil {
			return nil, err
		}
		properties = append(properties, property{column: columnOf(name.(string)), cell: cell})
	}
	return properties, nil
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
func cellOf(value json.RawMessage) (string, error) {
	value = bytes.TrimSpace(value)
	switch value[0] {
	case '"':
		var text string
		err := json.Unmarshal(value, &text)
		return text, err
	case '{', '[':
		var compact bytes.Buffer
		err := json.Compact(&compact, value)
		return compact.String(), err
	case 'n':
		return "", nil
	default:
		return string(value), nil
	}
}
