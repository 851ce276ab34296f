package process

import (
	"bufio"
	"bytes"
	"io"
)

// maxLine is how much of a line of output is kept.
const maxLine = 16 << 10

// eachLine calls f for each line that r gives, without its end, until r ends or
// fails. It keeps the first maxLine bytes of a line; size is its full length.
// The line is only valid during the call. However long a line is, reading never
// stops, so the writer is never held up.
func eachLine(r io.Reader, f func(line []byte, size int)) {
	in := bufio.NewReaderSize(r, 32<<10)
	line := make([]byte, 0, 1<<10)
	size := 0
	for {
		part, err := in.ReadSlice('\n')
		size += len(part)
		line = append(line, part[:min(len(part), maxLine-len(line))]...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if size > 0 {
			f(bytes.TrimRight(line, "\r\n"), size)
		}
		if err != nil {
			return
		}
		line, size = line[:0], 0
	}
}
