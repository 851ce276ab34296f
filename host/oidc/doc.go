// Package oidc signs people in by OpenID Connect: the authorization code flow of
// OpenID Connect Core 1.0 with PKCE (RFC 7636). It imports host.
//
// Start with Provider in provider.go. Config says what an operator decides,
// claims.go who a person is and in what role, client.go how the provider is
// called.
package oidc
