package api

import (
	_ "embed"
	"net/http"
	"strings"

	"github.com/restante/restante/host"
)

// healthz answers GET /healthz: the process lives.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request, _ host.GroupName) error {
	write(w, http.StatusOK, textType, []byte("ok"))
	return nil
}

// readyz answers GET /readyz: the daemon can do its work.
func (a *API) readyz(w http.ResponseWriter, _ *http.Request, _ host.GroupName) error {
	if err := a.ready(); err != nil {
		return faultf(errNotReady, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	write(w, http.StatusOK, textType, []byte("ready"))
	return nil
}

// readMetrics answers GET /metrics.
func (a *API) readMetrics(w http.ResponseWriter, r *http.Request, _ host.GroupName) error {
	a.metrics.ServeHTTP(w, r)
	return nil
}

//go:embed openapi.yaml
var description string

// openAPI answers GET /api/openapi.yaml: the description of all this.
func (a *API) openAPI(w http.ResponseWriter, _ *http.Request, _ host.GroupName) error {
	write(w, http.StatusOK, "application/yaml", []byte(description))
	return nil
}
