package api

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/restante/restante/host"
)

const (
	// firstBuffer is the size of a new buffer, enough for most messages.
	firstBuffer = 4 << 10
	// trustedLength is up to how many bytes a buffer is made as large as a
	// request says its body is. Beyond that it grows with what really comes.
	trustedLength = 1 << 20
	// keptBuffer is the largest buffer that is used again.
	keptBuffer = 256 << 10
	// drained is how much is read of a body that is too large.
	drained = 4 * host.MaxAdditionBytes
)

// buffer holds the body of a request.
type buffer struct{ bytes []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, firstBuffer)} }}

// release lets others use the buffer.
func (b *buffer) release() {
	if cap(b.bytes) <= keptBuffer {
		buffers.Put(b)
	}
}

// bodyLimit is how long one sort of body may be.
type bodyLimit struct {
	what  string
	bytes int
	// slack is how much longer it may be for what does not count, such as
	// white space around a message.
	slack int
}

// readBody reads a body. Release the buffer when nothing refers to its bytes
// any more.
func readBody(w http.ResponseWriter, r *http.Request, limit bodyLimit) (*buffer, error) {
	most := limit.bytes + limit.slack
	if r.ContentLength > int64(most) {
		return nil, tooLarge(w, r, limit)
	}
	b := buffers.Get().(*buffer)
	b.bytes = b.bytes[:0]
	if r.ContentLength > int64(cap(b.bytes)) {
		b.bytes = make([]byte, 0, min(r.ContentLength, trustedLength))
	}
	for {
		if len(b.bytes) == cap(b.bytes) {
			b.bytes = slices.Grow(b.bytes, len(b.bytes)+1)
		}
		n, err := r.Body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case len(b.bytes) > most:
			b.release()
			return nil, tooLarge(w, r, limit)
		case err == io.EOF:
			return b, nil
		case err != nil:
			b.release()
			w.Header().Set("Connection", "close")
			return nil, faultf(errBadRequest, "The body did not arrive whole. Nothing was changed. Send it again.")
		}
	}
}

// tooLarge reads the rest of the body, within reason, and has the connection
// closed. A client that sends everything before it reads would otherwise see
// its connection reset instead of the answer. One that waits for a "100
// Continue" must not be told to go on, which reading would do.
func tooLarge(w http.ResponseWriter, r *http.Request, limit bodyLimit) error {
	w.Header().Set("Connection", "close")
	if r.Header.Get("Expect") == "" && r.ContentLength <= drained {
		_, _ = io.CopyN(io.Discard, r.Body, drained)
	}
	return fmt.Errorf("%w: %s may have at most %d bytes", host.ErrTooLarge, limit.what, limit.bytes)
}
