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
	// Method is POST, PUT, PATCH or DELETE; empty means the operator's, which is
	// POST unless the configuration says otherwise.
	Method string

	// URL is a path, a query, or both, below the URL of the operator's
	// configuration: "students" below "https://example.org/api" is
	// "https://example.org/api/students". Empty means that URL itself. What could
	// lead out of it, such as "..", is refused.
	URL string

	// Headers are added to the daemon's own, but for those that are for
	// credentials, connections or proxies, or that name or sign the delivery: a
	// request with one of these is not sent. Where the operator sets the same
	// header, that one is sent. They are sent sorted by name; the values of one
	// name keep their order.
	Headers http.Header
}
