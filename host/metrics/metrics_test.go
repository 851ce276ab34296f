package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/restante/restante/host"
)

// TestOddNames has a plugin file whose name is no text.
func TestOddNames(t *testing.T) {
	m := New(t.Context(), Config{Version: "1", Queues: &host.Queues{}, Plugins: func() []host.PluginStatus {
		return []host.PluginStatus{{File: "a\xffb", State: host.PluginRejected}, {File: "good"}}
	}})
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if text := w.Body.String(); w.Code != 200 || !strings.Contains(text, "a\uFFFDb") || !strings.Contains(text, `file="good"`) {
		t.Errorf("the answer is %d %s", w.Code, text)
	}
}
