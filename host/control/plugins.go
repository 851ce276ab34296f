package control

import (
	"context"
	"net/http"

	"github.com/restante/restante/host"
)

// Plugins is what the commands need of the plugin host.
type Plugins interface {
	// List returns the state of every file of the plugin folder.
	List() []host.PluginStatus
	// Reclaim has plugins claim again the groups that they were refused.
	Reclaim()
	// Approve has the held version of a plugin serve, RollBack the one before
	// the version that serves.
	Approve(ctx context.Context, name string) error
	RollBack(ctx context.Context, name string) error
	// Restart starts a plugin anew.
	Restart(ctx context.Context, name string) error
	// WriteLock pins the plugins as they are in the folder now, and returns
	// their digests by file.
	WriteLock() (map[string]string, error)
	// Preview compares a file with the active plugin of the same name.
	Preview(ctx context.Context, path string) (host.Comparison, error)
}

func (s *Server) plugins(*http.Request) (any, error) {
	if s.Plugins == nil {
		return nil, errNoDaemon
	}
	return s.Plugins.List(), nil
}

func (s *Server) approve(r *http.Request) (any, error) {
	if s.Plugins == nil {
		return nil, errNoDaemon
	}
	return struct{}{}, s.Plugins.Approve(r.Context(), r.PathValue("name"))
}

func (s *Server) rollBack(r *http.Request) (any, error) {
	if s.Plugins == nil {
		return nil, errNoDaemon
	}
	return struct{}{}, s.Plugins.RollBack(r.Context(), r.PathValue("name"))
}

func (s *Server) restart(r *http.Request) (any, error) {
	if s.Plugins == nil {
		return nil, errNoDaemon
	}
	return struct{}{}, s.Plugins.Restart(r.Context(), r.PathValue("name"))
}

func (s *Server) lockPlugins(*http.Request) (any, error) {
	if s.Plugins == nil {
		return nil, errNoDaemon
	}
	return s.Plugins.WriteLock()
}

// previewPlugin runs a program that the caller names. The caller is the user
// whose daemon this is, and could run it without us.
func (s *Server) previewPlugin(r *http.Request) (any, error) {
	if s.Plugins == nil {
		return nil, errNoDaemon
	}
	return s.Plugins.Preview(r.Context(), r.URL.Query().Get("path"))
}
