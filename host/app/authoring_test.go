package app

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/restante/restante/host"
)

func TestReadSamples(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "samples")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data, err := readSamples(write("{\"a\": 1}\n\n\"b\"\n"))
	if err != nil || len(data) != 2 || string(data[0]) != `{"a": 1}` {
		t.Errorf("readSamples = %s, %v", data, err)
	}
	for _, text := range []string{"", "{}\n{\"a\":1,\"a\":2}\n", "\xff"} {
		_, err := CheckPlugin(t.Context(), CheckConfig{Path: "none", Samples: map[host.GroupName]string{"g": write(text)}})
		if _, ok := errors.AsType[*HintError](err); !ok {
			t.Errorf("CheckPlugin with the samples %q: %v, want a hint", text, err)
		}
	}
}
