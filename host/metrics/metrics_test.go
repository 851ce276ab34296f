package metrics

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/restante/restante/host"
)

func noErrors(context.Context) ([]host.ErrorReport, error) { return nil, nil }

// read returns what Prometheus gets.
func read(t *testing.T, c Config) (status int, text string) {
	t.Helper()
	c.Version, c.Queues = "1", &host.Queues{}
	w := httptest.NewRecorder()
	New(t.Context(), c).Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	return w.Code, w.Body.String()
}

// TestOddNames has a plugin file whose name is no text.
func TestOddNames(t *testing.T) {
	status, text := read(t, Config{Errors: noErrors, Plugins: func() []host.PluginStatus {
		return []host.PluginStatus{{File: "a\xffb", State: host.PluginRejected}, {File: "good"}}
	}})
	if status != 200 || !strings.Contains(text, "a\uFFFDb") || !strings.Contains(text, `file="good"`) {
		t.Errorf("the answer is %d %s", status, text)
	}
}

func TestErrors(t *testing.T) {
	now := time.Now()
	none := func() []host.PluginStatus { return nil }
	status, text := read(t, Config{Plugins: none, Errors: func(context.Context) ([]host.ErrorReport, error) {
		return []host.ErrorReport{
			{Kind: host.ErrorWaiting, Group: "a", Lasting: true},
			{Kind: host.ErrorWaiting, Group: "b", Lasting: true, Acknowledged: now},
			{Kind: host.ErrorPlugin, Plugin: "p \"q\"", Lasting: true, Ended: now, Reopened: true},
			{Kind: host.ErrorHeld, Group: "a"},
			{Kind: host.ErrorHeld, Group: "b"},
		}, nil
	}})
	if status != 200 {
		t.Fatalf("the answer is %d %s", status, text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, m := range families["restante_errors"].GetMetric() {
		counts[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
	}
	if len(counts) != len(host.ErrorKinds()) || counts["waiting"] != 1 || counts["plugin"] != 1 || counts["held"] != 2 || counts["disk"] != 0 {
		t.Errorf("the errors are %v", counts)
	}
	var groups []string
	for _, m := range families["restante_alert"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "group" {
				groups = append(groups, l.GetValue())
			}
		}
	}
	if strings.Join(groups, " ") != "a b" {
		t.Errorf("what is wrong now is with %q", groups)
	}

	// What can be told is told, though the inbox can't be read.
	status, text = read(t, Config{Plugins: none, Errors: func(context.Context) ([]host.ErrorReport, error) { return nil, errors.New("broken") }})
	if status != 200 || !strings.Contains(text, "restante_build_info") || strings.Contains(text, "restante_errors") {
		t.Errorf("the answer is %d %s", status, text)
	}
}
