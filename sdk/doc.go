// Package sdk is what a formatter plugin for Restante is written with.
//
// A plugin is one executable. Its main function describes the plugin and hands
// it to [Serve], which does the rest: the handshake with the daemon, gRPC,
// limits, logging, panics and a clean end. Start reading at [Plugin] and
// [Group]; [Batch] is what a formatter is given and [Document] what it returns.
// The package sdktest holds the tests that every plugin should pass.
//
// # What a formatter may do
//
// A formatter is a pure function of its batch: the same batch must always give
// the same bytes, since a batch is fetched as often as its receiver likes, and
// must be the same in ten years. So use no network, no files and no clock, and
// expect nothing of the environment: the daemon gives plugins none. Take the
// time from [Message.Time], sort what comes out of a map, and keep numbers as
// text ([encoding/json.Number] or [encoding/json.RawMessage]) rather than
// float64.
// Formatters are called concurrently.
//
// A panic in a formatter fails its call and no other. A panic in a goroutine
// that the formatter started itself ends the process, as in any Go program.
//
// # Output and logging
//
// While [Serve] runs, whatever is printed to standard output or standard error
// goes to the daemon's log, and can't disturb the protocol; this holds for
// [fmt.Println] and, except on Windows, for everything else that writes to file
// descriptor 1. Before [Serve] is called standard output belongs to the
// handshake, so print nothing there. [Logger] and, once Serve runs, the
// packages [log/slog] and [log] write structured lines with a level;
// RESTANTE_LOG_LEVEL (trace, debug, info, warn, error or off) says from which
// level on, and info is the default.
//
// The package may import the contract (proto) and never the daemon (host).
package sdk
