package app

import "github.com/restante/restante/host"

// observers are told one after the other.
type observers []host.Observer

func (all observers) Added(g host.GroupName, messages int) {
	for _, o := range all {
		o.Added(g, messages)
	}
}

func (all observers) Fetched(g host.GroupName, f host.Fetched, err error) {
	for _, o := range all {
		o.Fetched(g, f, err)
	}
}

func (all observers) Marked(g host.GroupName, messages uint64) {
	for _, o := range all {
		o.Marked(g, messages)
	}
}
