// Package endpoint is everything between a formatted batch and what its receiver
// answered: the request, its credentials and signature, the connection and where it
// may go, and the answer in words for people. When to send is not its business. It
// imports nothing else of this module.
//
// Start with Endpoint in endpoint.go. Config says what an operator decides,
// compose.go what a plugin may add to that, address.go which addresses are never
// connected to, dial.go how that is held, trouble.go what errors mean to people,
// and secrets.go keeps secrets out of all of it.
package endpoint
