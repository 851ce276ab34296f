package host_test

import (
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// TestSigner has the example of the specification.
func TestSigner(t *testing.T) {
	s, err := host.NewSigner([]string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("Sign = %s, want %s", got, want)
	}
	if none, err := host.NewSigner(nil); err != nil || none.Sign("x", time.Unix(0, 0), nil) != "" {
		t.Errorf("a signer without secrets signs, or fails: %v", err)
	}
}
