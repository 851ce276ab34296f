package api

// For the tests in package api_test.
var (
	PrefersJSON  = prefersJSON
	FetchQuery   = fetchQuery
	Rejections   = rejectionsOf
	ProblemTypes = problemTypes
	APIUser      = apiUser
)

// Paths lists the method and path of every route.
func (a *API) Paths() []string {
	var all []string
	for _, t := range a.routes() {
		all = append(all, t.method+" "+t.path)
	}
	return all
}

// Problems lists the names of all problem types.
func Problems() []string {
	names := []string{internalError.name}
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}
