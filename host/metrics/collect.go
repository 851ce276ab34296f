package metrics

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/restante/restante/host"
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func gauge(to chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	send(to, d, prometheus.GaugeValue, v, labels...)
}

// send makes a metric. The name of a file may be anything, and a label must be
// UTF-8.
func send(to chan<- prometheus.Metric, d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	to <- prometheus.MustNewConstMetric(d, t, v, labels...)
}

var (
	messages = describe("restante_messages", "Messages that are stored, by status: unread, read or held.", "group", "status")
	oldest   = describe("restante_oldest_unread_seconds", "How long the oldest unread message has been waiting; 0 if there is none.", "group")
)

// collector asks when somebody looks.
type collector struct {
	known []*prometheus.Desc
	ask   func(to chan<- prometheus.Metric)
}

func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.known {
		to <- d
	}
}

func (c collector) Collect(to chan<- prometheus.Metric) { c.ask(to) }

// queues tells what is stored. Asking takes constant time for each group.
func (c Config) queues(ctx context.Context) collector {
	return collector{[]*prometheus.Desc{messages, oldest}, func(to chan<- prometheus.Metric) { c.askQueues(ctx, to) }}
}

func (c Config) askQueues(ctx context.Context, to chan<- prometheus.Metric) {
	for _, queue := range c.Queues.All() {
		g := string(queue.Group)
		counts, err := c.Store.Counts(ctx, queue.Group)
		if err != nil {
			to <- prometheus.NewInvalidMetric(messages, fmt.Errorf("count the messages of %q: %w", g, err))
			continue
		}
		gauge(to, messages, float64(counts.Unread), g, host.Unread.String())
		gauge(to, messages, float64(counts.Read), g, host.Read.String())
		gauge(to, messages, float64(counts.Held), g, host.Held.String())
		age := 0.0
		if counts.Unread > 0 {
			first, err := c.Store.Unread(ctx, queue.Group, 1, 1)
			if err != nil {
				to <- prometheus.NewInvalidMetric(oldest, fmt.Errorf("find the oldest unread message of %q: %w", g, err))
				continue
			}
			if len(first) > 0 {
				age = max(0, time.Since(first[0].Time).Seconds())
			}
		}
		gauge(to, oldest, age, g)
	}
}

var (
	pluginState    = describe("restante_plugin_state", "1 for the state that a plugin file is in.", "file", "plugin", "version", "state")
	pluginHeld     = describe("restante_plugin_held", "1 if a version of the plugin waits for a person.", "file", "plugin")
	pluginRestarts = describe("restante_plugin_restarts_total", "How often a plugin's process ended without being asked to.", "file", "plugin")
	pluginInFlight = describe("restante_plugin_calls_in_flight", "Calls that a plugin works on.", "file", "plugin")
	pluginSampled  = describe("restante_plugin_sampled_total", "Batches that another process formatted once more.", "file", "plugin")
	pluginImpure   = describe("restante_plugin_impure_total", "Those of them that came out with other bytes.", "file", "plugin")
	pluginMemory   = describe("restante_plugin_memory_bytes", "What a plugin's process has in memory.", "file", "plugin")
	pluginStarted  = describe("restante_plugin_start_time_seconds", "When a plugin's process was started, since the epoch.", "file", "plugin")
)

// plugins tells how the plugins are.
func (c Config) plugins() collector {
	return collector{
		[]*prometheus.Desc{pluginState, pluginHeld, pluginRestarts, pluginInFlight, pluginSampled, pluginImpure, pluginMemory, pluginStarted},
		c.askPlugins,
	}
}

func (c Config) askPlugins(to chan<- prometheus.Metric) {
	for _, p := range c.Plugins() {
		held := 0.0
		if p.Held != "" {
			held = 1
		}
		gauge(to, pluginState, 1, p.File, p.Name, p.Version, string(p.State))
		gauge(to, pluginHeld, held, p.File, p.Name)
		send(to, pluginRestarts, prometheus.CounterValue, float64(p.Restarts), p.File, p.Name)
		send(to, pluginSampled, prometheus.CounterValue, float64(p.Usage.Sampled), p.File, p.Name)
		send(to, pluginImpure, prometheus.CounterValue, float64(p.Usage.Impure), p.File, p.Name)
		gauge(to, pluginInFlight, float64(p.Usage.InFlight), p.File, p.Name)
		if p.PID != 0 {
			gauge(to, pluginMemory, float64(p.Memory), p.File, p.Name)
			gauge(to, pluginStarted, float64(p.Started.UnixNano())/1e9, p.File, p.Name)
		}
	}
}

var (
	openErrors = describe("restante_errors", "Errors that nobody has acknowledged, by kind.", "kind")
	alert      = describe("restante_alert", "1 for what is wrong now and will be over by itself, also if it was acknowledged.", "kind", "group", "plugin")
)

// errors tells what is wrong.
func (c Config) errors(ctx context.Context) collector {
	return collector{[]*prometheus.Desc{openErrors, alert}, func(to chan<- prometheus.Metric) { c.askErrors(ctx, to) }}
}

func (c Config) askErrors(ctx context.Context, to chan<- prometheus.Metric) {
	all, err := c.Errors(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(openErrors, err)
		return
	}
	counts := map[host.ErrorKind]float64{}
	for _, r := range all {
		if r.Unacknowledged() {
			counts[r.Kind]++
		}
		if r.Lasting && r.Ended.IsZero() {
			gauge(to, alert, 1, string(r.Kind), string(r.Group), r.Plugin)
		}
	}
	for _, kind := range host.ErrorKinds() {
		gauge(to, openErrors, counts[kind], string(kind))
	}
}

var sendPaused = describe("restante_send_paused", "1 if nothing of a group is sent until somebody does something: it is paused, blocked, given up on or off.", "group")

// sending tells which groups wait for somebody.
func (c Config) sending() collector {
	return collector{[]*prometheus.Desc{sendPaused}, func(to chan<- prometheus.Metric) {
		for g, state := range c.Sending() {
			paused := 0.0
			if state.Halted() {
				paused = 1
			}
			gauge(to, sendPaused, paused, string(g))
		}
	}}
}
