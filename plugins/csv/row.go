package main

import (
	"bytes"
	"strings"
)

// writeRow writes one record of RFC 4180. encoding/csv can't be used: with CRLF
// at the end of lines it changes the line breaks inside fields too.
func writeRow(b *bytes.Buffer, delimiter string, cells []string) {
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(delimiter)
		}
		if !needsQuotes(cell, delimiter) {
			b.WriteString(cell)
			continue
		}
		b.WriteByte('"')
		b.WriteString(strings.ReplaceAll(cell, `"`, `""`))
		b.WriteByte('"')
	}
	b.WriteString("\r\n")
}

// needsQuotes is more careful than the standard, which allows spaces at the
// ends of a field but is not followed by all readers.
func needsQuotes(cell, delimiter string) bool {
	return strings.Contains(cell, delimiter) || strings.ContainsAny(cell, "\"\r\n") || strings.TrimSpace(cell) != cell
}
