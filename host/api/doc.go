// Package api is what machines call over HTTP: fetch and mark for pollers, add
// for producers, health for whoever looks after the daemon, and openapi.yaml,
// which describes all of it and is served with it.
//
// Start with routes.go, the list of everything that is served; errors.go is the
// one table from errors to statuses. New makes the handler and NewServer a
// server with time limits that suit it; package app puts both together.
//
// The package imports host, gorilla/mux and hclog.
package api
