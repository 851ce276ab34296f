package loopback_test

import (
	"net"
	"testing"

	"github.com/restante/restante/host/loopback"
)

func TestFreeAddress(t *testing.T) {
	given := map[string]bool{}
	for range 500 {
		address, err := loopback.FreeAddress()
		if err != nil {
			t.Fatal(err)
		}
		if given[address] {
			t.Errorf("%s was returned twice", address)
		}
		given[address] = true
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("%s is not of this machine alone", address)
		}
	}
}
