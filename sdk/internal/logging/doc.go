// Package logging carries the records of log/slog to an hclog logger, so that
// all that a plugin logs has one shape. Start with Handler.
//
// It may import the standard library and hclog.
package logging
