package host_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/restante/restante/host"
)

func TestRelease(t *testing.T) {
	x := openExchange(t, nil)
	for range 6 {
		addText(t, x, "plain", `{}`)
	}
	hold, _ := host.ParseRanges("2-5")
	if _, _, err := x.Hold(t.Context(), "plain", hold); err != nil {
		t.Fatal(err)
	}
	ids, _ := host.ParseRanges("1-2,4-9223372036854775807")
	moved, after, err := x.Release(t.Context(), "plain", ids)
	if err != nil || moved != 3 || after.Held != 1 {
		t.Errorf("Release = %d, %+v, %v, want 3 and one held", moved, after, err)
	}
}

func TestAddedByHand(t *testing.T) {
	x := openExchange(t, nil)
	for _, who := range []string{"ada", "Zoë Ångström", strings.Repeat("é", 128), "a:b"} {
		ids, err := x.Add(t.Context(), host.AddRequest{Group: "plain", Body: []byte(`1`), ByHand: who, Key: "NONCE"})
		if err != nil {
			t.Fatal(err)
		}
		again, err := x.Add(t.Context(), host.AddRequest{Group: "plain", Body: []byte(`1`), ByHand: who, Key: "NONCE"})
		if err != nil || again[0] != ids[0] {
			t.Errorf("the same form again = %v, %v, want %v", again, err, ids)
		}
		m, err := x.Store.Message(t.Context(), "plain", ids[0])
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := host.AddedByHand(m.Key); !ok || !strings.HasPrefix(who, got) || got == "" {
			t.Errorf("AddedByHand(%q) = %q, %v, want %q", m.Key, got, ok, who)
		}
	}
	_, err := x.Add(t.Context(), host.AddRequest{Group: "plain", Body: []byte(`1`), Key: "restante:by-hand:ada:1"})
	if !errors.Is(err, host.ErrBadData) {
		t.Errorf("a producer that says it is ada: %v", err)
	}
	if who, ok := host.AddedByHand("order-7"); ok {
		t.Errorf("a producer's key is by %q", who)
	}
}
