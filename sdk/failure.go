package sdk

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxErrorBytes bounds the text of an error on its way to the daemon: it
// travels in a header, and is shown to people.
const maxErrorBytes = 16 << 10

// errPanic is in every error that guard makes of a panic.
var errPanic = errors.New("the formatter panicked")

// guard calls f and turns a panic into an error with the stack, so that a fault
// in one formatter doesn't end the process and all calls in it.
func guard(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v\n\n%s", errPanic, cause, stack())
		}
	}()
	return f()
}

// stack returns the stack of a panic from where it was raised, without the
// lines about recovering from it.
func stack() string {
	text := string(debug.Stack())
	if _, below, found := strings.Cut(text, "\npanic("); found {
		if _, raised, found := strings.Cut(below, "\n\t"); found {
			if _, frames, found := strings.Cut(raised, "\n"); found {
				return frames
			}
		}
	}
	return text
}

// toStatus says in gRPC's terms why a call failed. Only the context of the
// call makes it Canceled or DeadlineExceeded: a time limit inside a formatter
// is an error like any other. So is a gRPC status that the author returns,
// since the codes have a meaning between daemon and plugin.
func toStatus(ctx context.Context, err error) error {
	text := clip(err.Error(), maxErrorBytes)
	switch {
	case errors.Is(err, errPanic):
		return status.Error(codes.Internal, text)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, text)
	case ctx.Err() != nil:
		return status.Error(codes.Canceled, text)
	default:
		return status.Error(codes.Unknown, text)
	}
}

// clip returns text as valid UTF-8 of at most limit bytes.
func clip(text string, limit int) string {
	const ellipsis = "…"
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	cut := limit - len(ellipsis)
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + ellipsis
}
