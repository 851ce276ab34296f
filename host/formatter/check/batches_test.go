package check

import (
	"encoding/json"
	"testing"

	"github.com/restante/restante/host"
)

// TestMessages sees to it that a daemon could have accepted all that is made up.
func TestMessages(t *testing.T) {
	samples := []json.RawMessage{json.RawMessage(`{"na\"me":"a\\","list":["b",{"c" : "d"}],"n":1}`), json.RawMessage(`"text"`)}
	if got := len(stringValues(samples[0])); got != 3 {
		t.Errorf("%d string values found, want 3", got)
	}
	for _, data := range append(append(generated(20, 10), odd(samples)...), odd(generated(12, 0))...) {
		if _, err := host.CheckData(data); err != nil {
			t.Errorf("%.100s: %v", data, err)
		}
	}
	if n := len(filled(generated(1, 0), 7, 1<<20)); n != 7 {
		t.Errorf("filled gave %d messages, want 7", n)
	}
	if n := len(filled(generated(1, 100), 7, 10)); n != 1 {
		t.Errorf("filled gave %d messages for a size that one has, want 1", n)
	}
}
