package api

import (
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Time limits of a server, against clients that send or read slowly to hold
// connections. A request to add at the size limit needs 140 kB/s.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// NewServer returns a server for an API, or for a handler that an API is part
// of, with limits on time and on the size of headers. What the server has to
// say itself, mostly about clients, goes to log at the level Debug.
func NewServer(h http.Handler, log hclog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}
