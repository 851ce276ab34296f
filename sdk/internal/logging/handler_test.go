package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/sdk/internal/logging"
)

func TestHandler(t *testing.T) {
	tests := map[string]struct {
		log  func(*slog.Logger)
		want map[string]any // without @timestamp; nil for no line
	}{
		"attributes": {
			func(l *slog.Logger) { l.Info("m", "n", 1, "s", "x", "d", time.Second, "b", true) },
			map[string]any{"@level": "info", "@message": "m", "n": 1.0, "s": "x", "d": "1s", "b": true},
		},
		"groups": {
			func(l *slog.Logger) {
				l.With("a", 1).WithGroup("g").With("b", 2).Warn("m", slog.Group("h", "c", 3), slog.Group("", "d", 4))
			},
			map[string]any{"@level": "warn", "@message": "m", "a": 1.0, "g.b": 2.0, "g.h.c": 3.0, "g.d": 4.0},
		},
		"errors": {
			func(l *slog.Logger) { l.Error("m", "err", errors.New("no")) },
			map[string]any{"@level": "error", "@message": "m", "err": "no"},
		},
		"reserved keys": {
			func(l *slog.Logger) { l.Info("m", "@message", 1, "@level", 2) },
			map[string]any{"@level": "info", "@message": "m", "attr.@message": 1.0, "attr.@level": 2.0},
		},
		"not JSON": {
			func(l *slog.Logger) { l.Info("m", "nan", math.NaN(), "f", (func())(nil), "v", []any{math.Inf(1)}) },
			map[string]any{"@level": "info", "@message": "m", "nan": "NaN", "f": "<nil>", "v": "[+Inf]"},
		},
		"below the level": {func(l *slog.Logger) { l.Debug("m") }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			to := hclog.New(&hclog.LoggerOptions{Output: &out, JSONFormat: true, Level: hclog.Info})
			test.log(slog.New(logging.New(to)))
			if test.want == nil {
				if out.Len() > 0 {
					t.Errorf("it wrote %s", out.Bytes())
				}
				return
			}
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%v in %q", err, out.Bytes())
			}
			delete(got, "@timestamp")
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("it wrote %v, want %v", got, test.want)
			}
		})
	}
}

func TestHandlerOff(t *testing.T) {
	to := hclog.New(&hclog.LoggerOptions{Level: hclog.Off})
	if logging.New(to).Enabled(t.Context(), slog.LevelError) {
		t.Error("a logger that is off is enabled")
	}
}
