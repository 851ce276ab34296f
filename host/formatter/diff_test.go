package formatter

import (
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// TestDiffIsQuick compares what laying out would make gigabytes of.
func TestDiffIsQuick(t *testing.T) {
	deep := func(depth int, value string) host.Document {
		body := strings.Repeat("[", depth) + strings.Repeat(value+",", 100_000) + value + strings.Repeat("]", depth)
		return host.Document{ContentType: "application/json", Body: []byte(body)}
	}
	for _, depth := range []int{1, 128, 5000} {
		began := time.Now()
		if text := Diff(deep(depth, "1"), deep(depth, "2")); text == "" || len(text) > 2*maxDiff {
			t.Errorf("nested %d deep the diff has %d bytes", depth, len(text))
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("nested %d deep it takes %s", depth, took)
		}
	}
	one := host.Document{ContentType: "application/json", Body: []byte(`{"a":[1,"[[[\""]}`)}
	two := host.Document{ContentType: "application/json", Body: []byte(`{"a":[2,"[[[\""]}`)}
	if text := Diff(one, two); !strings.Contains(text, "-    1,\n+    2,\n") {
		t.Errorf("the diff is\n%s", text)
	}
}
