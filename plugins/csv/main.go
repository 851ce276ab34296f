package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/restante/restante/sdk"
)

func main() { sdk.Serve(plugin()) }

func plugin() sdk.Plugin {
	return sdk.Plugin{
		Name:    "csv",
		Version: "1.1.0",
		Groups: []sdk.Group{{
			Name:   "csv",
			Method: sdk.Poll,
			Title:  "CSV",
			Description: "Messages as a CSV table (RFC 4180) with a header row: id, datetime, and a column for " +
				"each top-level property. Any JSON value can be added.",
			WriteMessages: write,
		}},
		Settings: []sdk.Setting{{
			Name:        delimiter,
			Type:        sdk.String,
			Default:     ",",
			Description: "The character between two cells, such as a semicolon for spreadsheets in much of Europe.",
		}},
		Configure: configure,
	}
}

const delimiter = "delimiter"

// configure refuses what a reader could not tell from the cells.
func configure(s sdk.Settings) error {
	d := s.String(delimiter)
	if utf8.RuneCountInString(d) != 1 || strings.ContainsAny(d, "\"\r\n") || d == string(utf8.RuneError) {
		return fmt.Errorf("the delimiter is %q; it must be one character, and no quote or line end", d)
	}
	return nil
}

const contentType = "text/csv; charset=utf-8; header=present"

func write(ctx context.Context, b sdk.Batch) (sdk.Document, error) {
	header := []string{"id", "datetime"}
	columns := make(map[string]int) // the place of a column in the header
	rows := make([][]property, len(b.Messages))
	var rejected []error
	for i, m := range b.Messages {
		properties, err := propertiesOf(m.Data)
		if err != nil {
			rejected = append(rejected, sdk.Reject(m.ID, err.Error()))
			continue
		}
		rows[i] = properties
		for _, p := range properties {
			if _, ok := columns[p.column]; !ok {
				columns[p.column] = len(header)
				header = append(header, p.column)
			}
		}
	}
	if len(rejected) > 0 {
		return sdk.Document{}, errors.Join(rejected...)
	}

	var body bytes.Buffer
	between := b.Settings.String(delimiter)
	writeRow(&body, between, header)
	for i, m := range b.Messages {
		cells := make([]string, len(header))
		cells[0] = strconv.FormatUint(m.ID, 10)
		cells[1] = m.Time.UTC().Format(time.RFC3339Nano)
		for _, p := range rows[i] {
			cells[columns[p.column]] = p.cell
		}
		writeRow(&body, between, cells)

		// Messages that have no property in common make a table that grows
		// with the square of their number.
		if body.Len() > sdk.MaxMessageBytes {
			return sdk.Document{}, fmt.Errorf("the table of %d columns is over %d bytes: fetch fewer messages",
				len(header), sdk.MaxMessageBytes)
		}
		if err := ctx.Err(); err != nil {
			return sdk.Document{}, err
		}
	}
	return sdk.Document{ContentType: contentType, Filename: "messages.csv", Body: body.Bytes()}, nil
}
