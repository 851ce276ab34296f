package endpoint

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"time"
)

// Answer is what came of an attempt. It has no secrets of the configuration in it,
// even if the receiver quotes them.
type Answer struct {
	// Began is when the attempt began, and Took how long it was.
	Began time.Time
	Took  time.Duration
	// Address is the IP address and port of the connection, which is the proxy's if
	// there is one; empty if there was no connection.
	Address string
	// Method and URL are what was asked; of the URL's query only the names.
	Method, URL string
	// Status is the HTTP status; 0 if there is none. It stands even if the answer
	// broke off after it.
	Status int
	// Header is of the answer: at most 8 KiB, without cookies.
	Header http.Header
	// Body is how the answer begins; see Config.MaxAnswer.
	Body []byte
	// RetryAfter is how long the receiver wants to be left alone: at most a day.
	RetryAfter time.Duration
	// Err says in words for people why there is no status; nil if there is one.
	Err error
	// Permanent says that Err stays until a person does something.
	Permanent bool
}

// Outcome is what an Answer means for the batch.
type Outcome int

// The outcomes. The zero Outcome is none of them.
const (
	// OK means that the receiver has taken the batch.
	OK Outcome = iota + 1
	// Retry means that the same request may succeed later.
	Retry
	// Block means that it will fail until a person does something.
	Block
)

// String returns "ok", "retry" or "block".
func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Retry:
		return "retry"
	case Block:
		return "block"
	default:
		return "Outcome(" + strconv.Itoa(int(o)) + ")"
	}
}

// Outcome is OK for a 2xx, and Retry for a 5xx, for 408, 425 and 429, and for an
// error that is not permanent. Anything else is Block, also a redirect, which is
// never followed.
func (a Answer) Outcome() Outcome {
	switch {
	case a.Err != nil && a.Permanent:
		return Block
	case a.Err != nil:
		return Retry
	case a.Status >= 200 && a.Status <= 299:
		return OK
	case a.Status >= 500 && a.Status <= 599:
		return Retry
	}
	switch a.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return Retry
	}
	return Block
}

// maxAnswerHeader is how many bytes of an answer's headers are kept.
const maxAnswerHeader = 8 << 10

// keptHeader returns what is kept of an answer's headers. Where they are too many
// the last by name go.
func keptHeader(from http.Header, s secrets) http.Header {
	kept, size := http.Header{}, 0
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if name == "Set-Cookie" || name == "Set-Cookie2" {
			continue
		}
		for _, v := range from[name] {
			if size += len(name) + len(v); size > maxAnswerHeader {
				return kept
			}
			kept[textproto.CanonicalMIMEHeaderKey(name)] = append(kept[name], s.hide(v))
		}
	}
	return kept
}

// readBody returns how an answer begins, reads on within bounds, so that the
// connection can be used again, and closes it.
func readBody(body io.ReadCloser, s secrets, limit int) []byte {
	defer body.Close()
	// An answer that breaks off is still one: its status has come.
	begin, _ := io.ReadAll(io.LimitReader(body, int64(limit+s.longest())))
	_, _ = io.CopyN(io.Discard, body, int64(maxBody-len(begin)))
	return s.cut(begin, limit)
}

const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header of this name (RFC 9110, section 10.2.3): seconds, or a
// date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	// One that is too large for the type is its largest.
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
