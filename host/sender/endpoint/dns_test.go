package endpoint

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// names answers DNS queries: the addresses of a name, by how often it was asked for
// them before. A name that it returns nothing for has no address.
func names(t *testing.T, addresses func(name string, before int) []string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		asked := map[dnsmessage.Question]int{}
		query := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(query[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m = reply(m.ID, q, addresses(strings.TrimSuffix(q.Name.String(), "."), asked[q]))
			asked[q]++
			packed, err := m.Pack()
			if err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func reply(id uint16, q dnsmessage.Question, addresses []string) dnsmessage.Message {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
	}
	if addresses == nil {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, text := range addresses {
		a := netip.MustParseAddr(text)
		r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			r.Body = &dnsmessage.AResource{A: a.As4()}
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			r.Body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		default:
			continue
		}
		m.Answers = append(m.Answers, r)
	}
	return m
}

// TestNamesOfPrivateAddresses sees that a name does not lead to where its address
// would not.
func TestNamesOfPrivateAddresses(t *testing.T) {
	var connections atomic.Int32
	url := receive(t, func(http.ResponseWriter, *http.Request) { connections.Add(1) })
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	for address, want := range map[string]string{
		"127.0.0.1":        "the address 127.0.0.1 is of this machine: allow it with allow_private",
		"::1":              "the address ::1 is of this machine",
		"::ffff:127.0.0.1": "the address 127.0.0.1 is of this machine",
		"64:ff9b::7f00:1":  "leads to 127.0.0.1",
		"169.254.169.254":  "metadata",
		"10.0.0.5":         "the address 10.0.0.5 is private",
		"0.0.0.0":          "unspecified",
		"::":               "unspecified",
	} {
		e := openWith(t, Config{URL: "https://receiver.test:" + port}, names(t, func(string, int) []string { return []string{address} }))
		a := e.Send(t.Context(), batch())
		check(t, a, Block, want)
		if !a.Permanent || a.Address != "" || !strings.Contains(a.Err.Error(), "receiver.test") {
			t.Errorf("Send = %+v", a)
		}
	}
	if connections.Load() != 0 {
		t.Error("the receiver was reached")
	}
}

// TestRebinding has a name show a good address and then a bad one, in turn and at the
// same time. 127.0.0.2 is the good one.
func TestRebinding(t *testing.T) {
	good, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip("this system has no 127.0.0.2")
	}
	_, port, _ := net.SplitHostPort(good.Addr().String())
	var served, reached atomic.Int32
	serve(t, good, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.Header().Set("Connection", "close")
	}))
	bad, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Skip("the port is taken")
	}
	serve(t, bad, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))

	resolver := names(t, func(name string, before int) []string {
		switch {
		case name == "both.test":
			return []string{"127.0.0.1", "127.0.0.2"}
		case before%2 == 0:
			return []string{"127.0.0.2"}
		}
		return []string{"127.0.0.1"}
	})
	allowed := []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	e := openWith(t, Config{URL: "http://turns.test:" + port, AllowPrivate: allowed}, resolver)
	for i := range 10 {
		a := e.Send(t.Context(), batch())
		if i%2 == 0 && a.Outcome() != OK {
			t.Errorf("Send %d = %v, %v", i, a.Outcome(), a.Err)
		}
		if i%2 == 1 {
			check(t, a, Block, "127.0.0.1 is of this machine")
		}
	}
	e = openWith(t, Config{URL: "http://both.test:" + port, AllowPrivate: allowed}, resolver)
	if a := e.Send(t.Context(), batch()); a.Outcome() != OK || a.Address != good.Addr().String() {
		t.Errorf("Send = %v, %v at %s, want it at %s", a.Outcome(), a.Err, a.Address, good.Addr())
	}
	if served.Load() != 6 || reached.Load() != 0 {
		t.Errorf("the good receiver got %d requests and the bad one %d", served.Load(), reached.Load())
	}
}

// TestSomeAddressesAreRefused sees that a bad address beside a good one that does not
// answer is no reason to give up for good.
func TestSomeAddressesAreRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip("this system has no 127.0.0.2")
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	e := openWith(t, Config{URL: "http://both.test:" + port, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}},
		names(t, func(string, int) []string { return []string{"127.0.0.1", "127.0.0.2"} }))
	check(t, e.Send(t.Context(), batch()), Retry, "both.test")
}

func TestNames(t *testing.T) {
	e := openWith(t, Config{URL: "https://none.test"}, names(t, func(string, int) []string { return nil }))
	check(t, e.Send(t.Context(), batch()), Retry, "the name none.test has no address")
	e = openWith(t, Config{URL: "https://empty.test"}, names(t, func(string, int) []string { return []string{} }))
	check(t, e.Send(t.Context(), batch()), Retry, "the name empty.test has no address")

	silent := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, io.ErrClosedPipe }}
	e = openWith(t, Config{URL: "https://silent.test"}, silent)
	check(t, e.Send(t.Context(), batch()), Retry, "the name silent.test could not be looked up")
}

// serve answers at a listener until the test ends.
func serve(t *testing.T, l net.Listener, h http.Handler) {
	t.Helper()
	s := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
}
