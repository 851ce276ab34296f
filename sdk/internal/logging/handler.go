package logging

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// Handler is a slog.Handler that writes through an hclog logger. Attributes of
// a group get dotted keys. The time of a record is when it is written, and its
// source line is not kept.
type Handler struct {
	to     hclog.Logger
	prefix string
	attrs  []any // key, value, …
}

// New returns a Handler that writes to a logger, with the logger's level.
func New(to hclog.Logger) *Handler { return &Handler{to: to} }

// Enabled tells whether the logger writes records of this level.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	threshold := h.to.GetLevel()
	return threshold != hclog.Off && levelOf(level) >= threshold
}

// Handle writes one record.
func (h *Handler) Handle(_ context.Context, record slog.Record) error {
	args := slices.Clone(h.attrs)
	record.Attrs(func(a slog.Attr) bool {
		args = appendAttr(args, h.prefix, a)
		return true
	})
	h.to.Log(levelOf(record.Level), record.Message, args...)
	return nil
}

// WithAttrs returns a Handler that adds these attributes to each record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clone := *h
	clone.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		clone.attrs = appendAttr(clone.attrs, h.prefix, a)
	}
	return &clone
}

// WithGroup returns a Handler that puts "name." before the keys that follow.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	clone := *h
	clone.prefix += name + "."
	return &clone
}

// appendAttr adds the attribute, or the attributes of the group that it is.
func appendAttr(args []any, prefix string, a slog.Attr) []any {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" { // a group without a key is inlined
			prefix += a.Key + "."
		}
		for _, member := range value.Group() {
			args = appendAttr(args, prefix, member)
		}
		return args
	}
	if a.Equal(slog.Attr{}) {
		return args
	}
	// hclog's own keys begin with "@". A second @message or @level would take
	// the place of the first, and go-plugin's own log reader panics if such a
	// value is no string.
	key := prefix + a.Key
	if strings.HasPrefix(key, "@") {
		key = "attr." + key
	}
	return append(args, key, plain(value))
}

// plain returns a value that encoding/json is sure to accept: hclog drops the
// whole line if a value doesn't marshal.
func plain(v slog.Value) any {
	switch v.Kind() {
	case slog.KindDuration:
		return v.Duration().String()
	case slog.KindAny:
		value := v.Any()
		if err, ok := value.(error); ok {
			return err.Error()
		}
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Sprint(value)
		}
		return json.RawMessage(text)
	case slog.KindFloat64:
		if text, err := json.Marshal(v.Float64()); err == nil {
			return json.RawMessage(text)
		}
		return v.String() // NaN and the infinities
	default:
		return v.Any()
	}
}

func levelOf(level slog.Level) hclog.Level {
	switch {
	case level >= slog.LevelError:
		return hclog.Error
	case level >= slog.LevelWarn:
		return hclog.Warn
	case level >= slog.LevelInfo:
		return hclog.Info
	case level >= slog.LevelDebug:
		return hclog.Debug
	default:
		return hclog.Trace
	}
}
