// The csv plugin writes the messages of the group "csv" as a table: RFC 4180,
// UTF-8, lines that end with CRLF, and a header row.
//
// The columns are id and datetime (when the daemon accepted the message, UTC,
// RFC 3339) and then the top-level properties of all messages of the batch, in
// the order in which they first appear. Which columns there are depends on the
// batch, so a reader should go by the header.
//
// A string is written as it is, also one that a spreadsheet would take for a
// formula; a number with its own digits; true and false as these words; an
// object or array as compact JSON text. The cell is empty if the message
// doesn't have the property or its value is null. Where a message has the same
// property twice, the last one counts.
//
// A message that is no object goes into the column data, which it shares with
// a property of that name. The properties id and datetime go into the columns
// data.id and data.datetime; and so that no two properties share a column, one
// that is called data.id itself goes into data.data.id, and so on.
//
// The setting delimiter is the character between two cells, a comma unless the
// operator chooses another.
//
// It is written with package sdk alone.
package main
