package host

import (
	"context"
	"encoding/json"
	"time"
)

// Formatters is what the exchange needs of plugins.
type Formatters interface {
	// WriteMessages has the named plugin format a batch. It returns an
	// *UnavailableError if the plugin can't be asked or fails, whatever the
	// way, and a *RejectedError if the plugin names messages that it can't
	// format.
	WriteMessages(ctx context.Context, plugin string, b Batch) (Document, error)

	// FormatHTTPRequest has the named plugin say how the document of a batch is to
	// be sent. It fails as WriteMessages does.
	FormatHTTPRequest(ctx context.Context, plugin string, b Batch, d Document) (HTTPRequest, error)

	// Edition returns what formats for the named plugin now or, while that is
	// being started again, what did last; the zero Edition if neither is known.
	Edition(plugin string) Edition

	// Understudy returns an understudy of what Edition returns. It fails with an
	// *UnavailableError if there can be none, or none for the group.
	Understudy(ctx context.Context, plugin string, g GroupName) (Understudy, error)
}

// Edition is a version of a plugin as it is set up: all that its documents depend
// on beside the batch. Editions can be compared.
type Edition struct {
	Origin
	// Setup is a digest of its settings and of what its process may do and use.
	Setup string
}

// Understudy is a plugin in a process of its own that serves nobody, to try
// batches on that may harm it. It is not safe for concurrent use.
type Understudy interface {
	// Edition returns what it is.
	Edition() Edition
	// WriteMessages is that of Formatters, and returns the error of ctx when that
	// ends. It starts a process if there is none, or none any more.
	WriteMessages(ctx context.Context, b Batch) (Document, error)
	// Close returns when nothing of the process is left, which a ctx that is over
	// does not keep it from.
	Close(ctx context.Context)
}

// PluginState is where a plugin file is in its life.
type PluginState string

const (
	// PluginStarting: the file was seen and is being copied, started or checked.
	PluginStarting PluginState = "starting"
	// PluginActive: it runs and its groups are served.
	PluginActive PluginState = "active"
	// PluginBackingOff: it ended or failed and is tried again later.
	PluginBackingOff PluginState = "backing off"
	// PluginRejected: it can't be used until the file is changed.
	PluginRejected PluginState = "rejected"
)

// PluginStatus describes one file of the plugin folder.
type PluginStatus struct {
	// File is the name of the file in the folder.
	File  string      `json:"file"`
	State PluginState `json:"state"`
	// Reason says, in words, why the state is not active and what to do.
	Reason string `json:"reason,omitempty"`
	// Name, Version and Groups are what the plugin says of itself.
	Name    string      `json:"name,omitempty"`
	Version string      `json:"version,omitempty"`
	Groups  []GroupName `json:"groups,omitempty"`
	// Refused are the groups that it declared and did not get, each with the
	// reason.
	Refused map[GroupName]string `json:"refused,omitempty"`
	// Failure is what went wrong in the last call that failed, and FailedAt
	// when; empty if none did since the daemon started.
	Failure  string    `json:"failure,omitempty"`
	FailedAt time.Time `json:"failedAt,omitzero"`
	// Digest is the SHA-256 of the file that runs, in hex.
	Digest string `json:"digest,omitempty"`
	// Content is the SHA-256 of what the file holds, as far as it was read.
	Content string `json:"content,omitempty"`
	// PID is 0 if no process runs.
	PID      int       `json:"pid,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Restarts int       `json:"restarts"`
	// Held is the digest of a version that is kept from serving: because its
	// documents differ and wait for approval, because it can't do what the
	// version before can, or because it is quarantined.
	Held string `json:"held,omitempty"`
	// Comparison is of the held version with the active one or, if none is
	// held, of the active one with the one before.
	Comparison *Comparison `json:"comparison,omitempty"`
	// Impurity is the last time that it gave other bytes for the same batch; nil
	// if it was not seen to since the daemon started.
	Impurity *Impurity `json:"impurity,omitempty"`
	// Versions are what the file held, newest first.
	Versions []PluginVersion `json:"versions,omitempty"`
	// Usage counts the calls since the daemon started.
	Usage PluginUsage `json:"usage"`
	// Memory is what the process has in memory, in bytes; 0 if that is unknown.
	Memory int64 `json:"memory,omitempty"`
	// Sandbox says how far the process is shut in: "full", "no namespaces",
	// "partial", "none" or "off", a colon, and what that means.
	Sandbox string `json:"sandbox,omitempty"`
	// Build is what the version that runs was built from.
	Build PluginBuild `json:"build,omitzero"`
	// Log holds the last lines that the process wrote to standard error, at most 50.
	Log []string `json:"log,omitempty"`
	// LastExit is how the last process ended that ended by itself, was killed or
	// did not come up; nil if none did since the daemon started.
	LastExit *PluginExit `json:"lastExit,omitempty"`
	// Settings are what the plugin that runs can be set to.
	Settings []PluginSetting `json:"settings,omitempty"`
}

// Impurity is an observation that a formatter is no pure function.
type Impurity struct {
	Time  time.Time `json:"time"`
	Group GroupName `json:"group"`
	// Messages are the ids of the batch.
	Messages string `json:"messages"`
	// Reason says in one line what was seen, and guesses why.
	Reason string `json:"reason"`
	// Details show the first bytes that differ.
	Details []string `json:"details"`
}

// CallOutcome is how a call of a plugin ended.
type CallOutcome string

// Outcomes of calls.
const (
	CallOK       CallOutcome = "ok"
	CallRejected CallOutcome = "rejected" // the plugin named messages that it can't format
	CallFailed   CallOutcome = "failed"
)

// PluginUsage counts calls of a plugin.
type PluginUsage struct {
	// Calls are all that ended; Failed and Rejected are among them.
	Calls    uint64 `json:"calls"`
	Failed   uint64 `json:"failed"`
	Rejected uint64 `json:"rejected"`
	InFlight int    `json:"inFlight"`
	// Sampled are batches that another process formatted once more; of these,
	// Impure gave other bytes.
	Sampled uint64 `json:"sampled"`
	Impure  uint64 `json:"impure"`
	// P50 and P99 are the median and the 99th percentile of how long the last
	// 1,000 calls took, in seconds; 0 if there were none.
	P50 float64 `json:"p50Seconds"`
	P99 float64 `json:"p99Seconds"`
}

// PluginBuild is what a plugin was built from, as far as it is known.
type PluginBuild struct {
	// Language is, for example, "go1.26.0".
	Language string `json:"language,omitempty"`
	// SDK is the library that speaks the protocol, GoPlugin the version of
	// go-plugin beneath it, Module the plugin's own module, and Revision that of
	// its source.
	SDK      string `json:"sdk,omitempty"`
	GoPlugin string `json:"goPlugin,omitempty"`
	Module   string `json:"module,omitempty"`
	Revision string `json:"revision,omitempty"`
}

// PluginExit is how a process ended.
type PluginExit struct {
	Time time.Time `json:"time"`
	// Reason is one line for people.
	Reason string `json:"reason"`
	// Code is the exit status, or -1 if a signal, which Signal names, ended it.
	Code   int    `json:"code"`
	Signal string `json:"signal,omitempty"`
	// Killed is why the daemon killed it, or empty.
	Killed string `json:"killed,omitempty"`
	// Panic is the last panic with its stack, or empty.
	Panic string `json:"panic,omitempty"`
	// Stderr holds the last lines of standard error, at most 50.
	Stderr []string `json:"stderr,omitempty"`
}

// PluginSetting is a setting that a plugin declares, and its value.
type PluginSetting struct {
	Name string `json:"name"`
	// Type is "string", "number" or "bool".
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitempty"`
	// Value is JSON. It is empty if there is none, and if it is secret.
	Value  json.RawMessage `json:"value,omitempty"`
	Secret bool            `json:"secret,omitempty"`
	// Set tells that the value is the operator's and not the default.
	Set bool `json:"set"`
}

// PluginVersion is one content that a plugin file had.
type PluginVersion struct {
	Digest string `json:"digest"`
	// Version is what it called itself; empty if it never ran.
	Version string `json:"version,omitempty"`
	// Seen is when it was first seen, Served when it last began to serve; zero
	// if it never did.
	Seen   time.Time `json:"seen"`
	Served time.Time `json:"served,omitzero"`
	// Quarantined is why it must not run; empty if it may.
	Quarantined string `json:"quarantined,omitempty"`
	// Pure is set when the same batches were seen to give the same bytes, over
	// and over, before it served.
	Pure bool `json:"pure,omitempty"`
	// Approved is set when it needs no comparison any more.
	Approved bool `json:"approved,omitempty"`
}
