package sdk

import "net/http"

// Outgoing is a batch of a Send group, formatted and about to be sent. The daemon
// of this version takes messages for Send groups and does not send them yet.
type Outgoing struct {
	Batch

	// Document is what WriteMessages made of the batch, or the daemon's
	// default format if the group has none.
	Document Document
}

// HTTPRequest says how the document of a batch is to be sent. The zero value
// means a POST to the URL of the operator's configuration.
type HTTPRequest struct {
	// Method is the HTTP method; empty means POST.
	Method string

	// URL is a reference that is resolved against the URL of the operator's
	// configuration (RFC 3986, section 5): a path, a query, or nothing.
	URL string

	// Headers are added to the daemon's own. They are sent sorted by name; the
	// values of one name keep their order.
	Headers http.Header
}
