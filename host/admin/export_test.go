package admin

import "github.com/restante/restante/host"

// For the tests in package admin_test.
const (
	MaxForm    = maxForm
	MaxAddForm = maxAddForm
)

// Route is a route as tests see it.
type Route struct {
	Pattern string
	Role    host.Role
}

// Routes lists everything that is served.
func (a *Admin) Routes() (all []Route) {
	for _, r := range a.routes() {
		all = append(all, Route{r.pattern, r.role})
	}
	return all
}
