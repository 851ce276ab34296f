package endpoint

import (
	"fmt"
	"net/netip"
)

// refusedError says that an address must not be connected to.
type refusedError struct {
	address netip.Addr
	why     string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the address %s %s", e.address, e.why)
}

const allowIt = ": allow it with allow_private in the endpoint block if that is meant"

// gate says which addresses may be connected to.
type gate struct {
	// allowed are let through though they are refused by default.
	allowed []netip.Prefix
	// plain is for connections without TLS, which only the allowed may have.
	plain bool
}

// check returns a *refusedError for an address that is not of the public internet,
// in whatever form it is written, unless the operator allowed it.
func (g gate) check(a netip.Addr) error {
	a = a.Unmap().WithZone("") // a prefix contains no address that has a zone
	inner := embedded(a)
	for _, m := range metadata {
		if (a == m || inner == m) && !g.allows(a, a.BitLen()) && !g.allows(m, m.BitLen()) {
			return &refusedError{a, "is of a cloud's metadata service, which hands out credentials: " +
				"only allow_private with this very address, and not a range, would allow it"}
		}
	}
	if g.allows(a, 0) {
		return nil
	}
	for _, s := range special {
		if s.Contains(a) {
			return &refusedError{a, "is " + s.what + allowIt}
		}
	}
	if a.Is6() && !globalUnicast.Contains(a) && !nat64.Contains(a) {
		return &refusedError{a, "is not of the public internet" + allowIt}
	}
	if inner.IsValid() {
		if err := (gate{allowed: g.allowed}).check(inner); err != nil {
			return &refusedError{a, "leads to " + inner.String() + ", and " + err.Error()}
		}
	}
	if g.plain {
		return &refusedError{a, "is on the public internet, where others can read what goes over http://: " +
			"use https://, or put the address into allow_private if the way there is safe"}
	}
	return nil
}

// allows reports whether the operator allowed the address by a prefix of at least
// this many bits.
func (g gate) allows(a netip.Addr, bits int) bool {
	for _, p := range g.allowed {
		if p.Bits() >= bits && p.Contains(a) {
			return true
		}
	}
	return false
}

// metadata are the addresses at which clouds hand credentials to their machines.
// Two of them look public.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // AWS, Azure, Google and most others
	netip.MustParseAddr("169.254.170.2"),   // AWS, containers
	netip.MustParseAddr("169.254.170.23"),  // AWS, EKS
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("fd00:ec2::23"),
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("168.63.129.16"),   // Azure
}

type specialPrefix struct {
	netip.Prefix
	what string
}

// special are the ranges of the IANA registries of special-purpose addresses that
// are not for everybody, and the multicast ones.
var special = []specialPrefix{
	{netip.MustParsePrefix("127.0.0.0/8"), "of this machine"},
	{netip.MustParsePrefix("::1/128"), "of this machine"},
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("fc00::/7"), "private"},
	{netip.MustParsePrefix("fec0::/10"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "of a provider's own network"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved for protocols"},
	{netip.MustParsePrefix("192.88.99.0/24"), "reserved for protocols"},
	{netip.MustParsePrefix("2001::/23"), "reserved for protocols"}, // Teredo too
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation"},
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
}

var (
	// globalUnicast is all that IANA gives out for the internet.
	globalUnicast = netip.MustParsePrefix("2000::/3")
	// nat64 leads to IPv4 (RFC 6052). 64:ff9b:1::/48, for networks' own use, can
	// hide its IPv4 address in many ways and is refused.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	// sixToFour leads to IPv4 (RFC 3056).
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// embedded returns the IPv4 address that an IPv6 address leads to, if it does.
func embedded(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.Addr{}
}
