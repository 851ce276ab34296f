package endpoint

import (
	"net/netip"
	"strings"
	"testing"
)

func TestGateRefuses(t *testing.T) {
	for _, c := range []struct{ address, want string }{
		{"127.0.0.1", "of this machine"}, {"127.255.255.254", "of this machine"}, {"::1", "of this machine"},
		{"0.0.0.0", "unspecified"}, {"0.1.2.3", "unspecified"}, {"::", "unspecified"},
		{"10.0.0.5", "is private: allow it with allow_private in the endpoint block if that is meant"},
		{"172.16.0.1", "private"}, {"172.31.255.255", "private"}, {"192.168.1.1", "private"},
		{"fc00::1", "private"}, {"fdff::1", "private"}, {"fec0::1", "private"},
		{"100.64.0.1", "provider"}, {"100.127.255.255", "provider"},
		{"169.254.1.1", "link-local"}, {"fe80::1", "link-local"}, {"fe80::1%eth0", "link-local"},
		{"192.0.0.8", "protocols"}, {"192.88.99.1", "protocols"}, {"2001::1", "protocols"}, {"2001:2::1", "protocols"},
		{"192.0.2.1", "documentation"}, {"198.51.100.1", "documentation"}, {"203.0.113.1", "documentation"},
		{"2001:db8::1", "documentation"}, {"3fff::1", "documentation"},
		{"198.18.0.1", "benchmarks"}, {"198.19.255.255", "benchmarks"},
		{"224.0.0.1", "multicast"}, {"239.1.1.1", "multicast"}, {"ff02::1", "multicast"},
		{"255.255.255.255", "broadcast"}, {"240.0.0.1", "reserved"},
		{"169.254.169.254", "metadata"}, {"169.254.170.2", "metadata"}, {"fd00:ec2::254", "metadata"}, {"fd20:ce::254", "metadata"},
		{"100.100.100.200", "metadata"}, {"192.0.0.192", "metadata"}, {"168.63.129.16", "metadata"},
		{"::ffff:127.0.0.1", "of this machine"}, {"::ffff:a9fe:a9fe", "metadata"}, {"::ffff:10.0.0.1", "private"},
		{"64:ff9b::7f00:1", "leads to 127.0.0.1"}, {"64:ff9b::a9fe:a9fe", "metadata"}, {"64:ff9b::a00:1", "leads to 10.0.0.1"},
		{"64:ff9b:1::a00:1", "not of the public internet"}, {"::10.0.0.1", "not of the public internet"},
		{"::ffff:0:10.0.0.1", "not of the public internet"}, {"100::1", "not of the public internet"}, {"5f00::1", "not of the public internet"},
		{"2002:7f00:1::", "leads to 127.0.0.1"}, {"2002:a00:1::1", "leads to 10.0.0.1"},
		{"2606:4700::5efe:10.0.0.1", "leads to 10.0.0.1"}, {"2606:4700::200:5efe:10.0.0.1", "leads to 10.0.0.1"},
	} {
		err := (gate{}).check(netip.MustParseAddr(c.address))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("check(%s) = %v, want %q", c.address, err, c.want)
		}
	}
	for _, public := range []string{
		"93.184.216.34", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "223.255.255.255",
		"2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1", "2400:cb00::1",
	} {
		if err := (gate{}).check(netip.MustParseAddr(public)); err != nil {
			t.Errorf("check(%s) = %v", public, err)
		}
	}
}

func TestGateAllows(t *testing.T) {
	for name, c := range map[string]struct {
		allowed, address string
		plain, ok        bool
	}{
		"a range":                       {"10.0.0.0/8", "10.1.2.3", false, true},
		"outside of the range":          {"10.0.0.0/8", "192.168.1.1", false, false},
		"a mapped address":              {"10.0.0.0/8", "::ffff:10.1.2.3", false, true},
		"by NAT64":                      {"10.0.0.0/8", "64:ff9b::a01:203", false, true},
		"a zone":                        {"fe80::/10", "fe80::1%eth0", false, true},
		"metadata, by a range":          {"169.254.0.0/16", "169.254.169.254", false, false},
		"metadata, by all":              {"0.0.0.0/0", "169.254.169.254", false, false},
		"metadata, mapped, by a range":  {"169.254.0.0/16", "::ffff:169.254.169.254", false, false},
		"metadata, by NAT64":            {"64:ff9b::/96", "64:ff9b::a9fe:a9fe", false, false},
		"metadata in a private network": {"fd00::/8", "fd00:ec2::254", false, false},
		"metadata, by its address":      {"169.254.169.254/32", "169.254.169.254", false, true},
		"public, without TLS":           {"10.0.0.0/8", "1.1.1.1", true, false},
		"allowed, without TLS":          {"1.1.1.1/32", "1.1.1.1", true, true},
		"private, without TLS":          {"10.0.0.0/8", "10.1.2.3", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := gate{allowed: []netip.Prefix{netip.MustParsePrefix(c.allowed)}, plain: c.plain}
			if err := g.check(netip.MustParseAddr(c.address)); (err == nil) != c.ok {
				t.Errorf("check(%s) with %s = %v, want %v", c.address, c.allowed, err, c.ok)
			}
		})
	}
}
