package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/restante/restante/host"
)

// Config is what there is to look at. All of it is required.
type Config struct {
	// Version is the daemon's.
	Version string
	Queues  *host.Queues
	Store   host.Messages
	// Plugins returns the state of every file of the plugin folder.
	Plugins func() []host.PluginStatus
	// Errors returns the reports of the error inbox that are not done with.
	Errors func(context.Context) ([]host.ErrorReport, error)
	// Sending returns how sending is for every group that is sent.
	Sending func() map[host.GroupName]host.SendState
}

// Metrics counts. It is safe for concurrent use, and is a host.Observer.
type Metrics struct {
	registry *prometheus.Registry

	added, fetched, marked *prometheus.CounterVec // messages, by group
	fetches                *prometheus.CounterVec // by group and outcome
	bytes                  *prometheus.CounterVec // of documents, by group
	calls                  *prometheus.HistogramVec
	attempts               *prometheus.CounterVec // by group and outcome
}

var _ host.Observer = (*Metrics)(nil)

// callSeconds are the bounds of the durations of calls: from a millisecond, a
// small batch, to the 30 seconds at which a call is given up.
var callSeconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// New returns metrics with everything at zero. When ctx is over the store is not
// asked any more.
func New(ctx context.Context, c Config) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.added = counter("restante_messages_added_total", "Messages that were accepted.", "group")
	m.fetched = counter("restante_messages_fetched_total", "Messages in documents that pollers were given, each as often as it was.", "group")
	m.marked = counter("restante_messages_marked_total", "Messages that pollers marked read, each once.", "group")
	m.fetches = counter("restante_fetches_total", "Fetches by outcome: ok, or failed as the queue could not be formatted or read.", "group", "outcome")
	m.bytes = counter("restante_document_bytes_total", "Bytes of the documents that pollers were given.", "group")
	m.attempts = counter("restante_send_attempts_total", "Attempts to send a batch by outcome: sent, failed, refused, or cut off by a stop.", "group", "outcome")
	m.calls = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "restante_plugin_call_seconds", Help: "How long plugins took for a batch, by outcome: ok, rejected or failed.", Buckets: callSeconds,
	}, []string{"plugin", "group", "outcome"})
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "restante_build_info", Help: "Always 1; the label is the daemon's version."}, []string{"version"})
	build.WithLabelValues(c.Version).Set(1)
	m.registry.MustRegister(m.calls, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), c.queues(ctx), c.plugins(), c.errors(ctx), c.sending())
	return m
}

// Handler answers with all metrics. It does not ask who wants to know.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		// What can be told is told, though a store fails.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		Timeout:             20 * time.Second,
	})
}

// Added counts messages that were accepted.
func (m *Metrics) Added(g host.GroupName, messages int) {
	m.added.WithLabelValues(string(g)).Add(float64(messages))
}

// Fetched counts a fetch and what was in it.
func (m *Metrics) Fetched(g host.GroupName, f host.Fetched, err error) {
	if err != nil {
		m.fetches.WithLabelValues(string(g), "failed").Inc()
		return
	}
	m.fetches.WithLabelValues(string(g), "ok").Inc()
	m.fetched.WithLabelValues(string(g)).Add(float64(f.IDs.Count()))
	m.bytes.WithLabelValues(string(g)).Add(float64(len(f.Document.Body)))
}

// Marked counts messages that were newly marked.
func (m *Metrics) Marked(g host.GroupName, messages uint64) {
	m.marked.WithLabelValues(string(g)).Add(float64(messages))
}

// Attempted counts an attempt to send a batch.
func (m *Metrics) Attempted(g host.GroupName, outcome host.AttemptOutcome) {
	m.attempts.WithLabelValues(string(g), string(outcome)).Inc()
}

// Called counts a call of a plugin.
func (m *Metrics) Called(plugin string, g host.GroupName, took time.Duration, outcome host.CallOutcome) {
	m.calls.WithLabelValues(plugin, string(g), string(outcome)).Observe(took.Seconds())
}
