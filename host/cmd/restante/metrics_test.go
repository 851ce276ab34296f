package main

import (
	"net/http"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// metric returns the value of a metric whose labels hold all the given ones.
func metric(families map[string]*dto.MetricFamily, name string, labels ...string) (float64, bool) {
	for _, m := range families[name].GetMetric() {
		found := 0
		for _, l := range m.GetLabel() {
			for i := 0; i < len(labels); i += 2 {
				if l.GetName() == labels[i] && l.GetValue() == labels[i+1] {
					found++
				}
			}
		}
		if found == len(labels)/2 {
			return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount()), true
		}
	}
	return 0, false
}

// TestMetrics reads the metrics as Prometheus does, and what "plugins show" makes
// of the same.
func TestMetrics(t *testing.T) {
	d := newDaemon(t, "csv")
	d.start()
	must(t, "1\n2\n3", "add", "csv", "--data", d.data)
	poller := d.key("csv", "poll")
	r, err := d.fetch(t.Context(), poller, "csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.mark(t.Context(), poller, "csv", r.header.Get("Restante-Token")); err != nil {
		t.Fatal(err)
	}
	must(t, "4", "add", "csv", "--data", d.data)

	read := func(key string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+d.address+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("haplo", key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	for _, key := range []string{"", poller, d.key("*", "poll,add,send")} {
		if status := read(key).StatusCode; status != 401 && status != 403 {
			t.Errorf("with the key %q the status is %d", key, status)
		}
	}
	if _, errs, err := run(t, "", "keys", "create", "--data", d.data, "--group", "csv", "--allow", "metrics"); err == nil || !strings.Contains(errs, `must be for the group "*"`) {
		t.Errorf("a key for the metrics of one group: %v %s", err, errs)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(read(d.key("*", "metrics")).Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		value  float64
		name   string
		labels []string
	}{
		{4, "restante_messages_added_total", []string{"group", "csv"}},
		{3, "restante_messages_fetched_total", []string{"group", "csv"}},
		{3, "restante_messages_marked_total", []string{"group", "csv"}},
		{1, "restante_fetches_total", []string{"group", "csv", "outcome", "ok"}},
		{float64(len(r.body)), "restante_document_bytes_total", []string{"group", "csv"}},
		{1, "restante_messages", []string{"group", "csv", "status", "unread"}},
		{3, "restante_messages", []string{"group", "csv", "status", "read"}},
		{0, "restante_oldest_unread_seconds", []string{"group", "plain"}},
		{1, "restante_plugin_call_seconds", []string{"plugin", "csv", "group", "csv", "outcome", "ok"}},
		{1, "restante_plugin_state", []string{"plugin", "csv", "state", "active"}},
		{0, "restante_plugin_restarts_total", []string{"file", "csv"}},
		{0, "restante_errors", []string{"kind", "waiting"}},
		{0, "restante_plugin_held", []string{"file", "csv"}},
	} {
		if got, ok := metric(families, want.name, want.labels...); !ok || got != want.value {
			t.Errorf("%s%v = %v, %v, want %v", want.name, want.labels, got, ok, want.value)
		}
	}
	if age, ok := metric(families, "restante_oldest_unread_seconds", "group", "csv"); !ok || age <= 0 || age > 60 {
		t.Errorf("the oldest unread message has waited %v s", age)
	}
	if memory, _ := metric(families, "restante_plugin_memory_bytes", "plugin", "csv"); memory < 1<<20 {
		t.Errorf("the plugin has %v bytes", memory)
	}

	out := must(t, "", "plugins", "show", "csv", "--data", d.data)
	for _, want := range []string{"Calls:", "1, of which 0 failed", "at the median", "Memory:", "go-plugin v1.", "go1."} {
		if !strings.Contains(out, want) {
			t.Errorf("show prints no %q:\n%s", want, out)
		}
	}
	t.Log("\n" + out)
}
