package process

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// Limits of what is taken over from one log line.
const (
	maxPairs      = 32
	maxKey        = 64
	maxValue      = 4 << 10
	maxLogMessage = 4 << 10
)

// logLine is one line that a plugin logged.
type logLine struct {
	level   hclog.Level
	message string
	args    []any // key, value, …; every value is a string
}

// parseLogLine reads a line of hclog's JSON format. Whatever else the line is,
// it is not ok, and to be taken as plain text: that the values are of the right
// kind is up to the plugin.
func parseLogLine(line []byte) (l logLine, ok bool) {
	if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '{' {
		return logLine{}, false
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return logLine{}, false
	}
	var message, level string
	if json.Unmarshal(fields["@message"], &message) != nil || json.Unmarshal(fields["@level"], &level) != nil {
		return logLine{}, false
	}
	l = logLine{level: hclog.LevelFromString(level), message: oneLine(message, maxLogMessage)}
	if l.level == hclog.NoLevel || l.level == hclog.Off {
		l.level = hclog.Info
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		name := key
		switch key {
		case "@message", "@level", "@timestamp":
			continue
		case "@module", "@caller":
			name = "plugin_" + key[1:]
		}
		if len(l.args) >= 2*maxPairs {
			break
		}
		l.args = append(l.args, keyText(name), valueText(fields[key]))
	}
	return l, true
}

// keyText keeps a key readable and apart from hclog's own.
func keyText(key string) string {
	key = strings.TrimLeft(oneLine(key, maxKey), "@")
	if key == "" {
		return "unnamed"
	}
	return strings.ReplaceAll(key, " ", "_")
}

func valueText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	return paragraph(text, maxValue)
}

// plainLevel returns the level of a line of plain text, and the text without
// the mark that says it, as log packages write it.
func plainLevel(text string) (hclog.Level, string) {
	for mark, level := range map[string]hclog.Level{
		"[TRACE]": hclog.Trace, "[DEBUG]": hclog.Debug, "[INFO]": hclog.Info, "[WARN]": hclog.Warn, "[ERROR]": hclog.Error,
	} {
		if rest, found := strings.CutPrefix(text, mark); found {
			return level, strings.TrimSpace(rest)
		}
	}
	return hclog.Info, text
}
