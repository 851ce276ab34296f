package host_test

import (
	"errors"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func TestLease(t *testing.T) {
	const term = 30 * time.Second
	now := haploTime
	clock := func() time.Time { return now }
	s := openStore(t)
	one, two := host.NewLeases(s, "one", clock), host.NewLeases(s, "two", clock)
	ctx := t.Context()

	first, err := one.Take(ctx, "send/x", term)
	if err != nil || first.Number != 1 || !first.Expires.Equal(now.Add(term)) {
		t.Fatalf("Take = %+v, %v", first, err)
	}
	leased, ok := errors.AsType[*host.LeasedError](second(two.Take(ctx, "send/x", term)))
	if !ok || leased.Holder != "one" {
		t.Fatalf("another daemon's Take = %v, want a *LeasedError", leased)
	}
	if other, err := two.Take(ctx, "send/y", term); err != nil || other.Number != 1 {
		t.Errorf("Take of another lease = %+v, %v", other, err)
	}
	now = now.Add(20 * time.Second)
	renewed, err := one.Renew(ctx, first, term)
	if err != nil || renewed.Number != 1 || !renewed.Expires.Equal(now.Add(term)) {
		t.Fatalf("Renew = %+v, %v", renewed, err)
	}
	now = now.Add(term + time.Second)
	if _, err := two.Take(ctx, "send/x", term); err == nil {
		t.Error("Take succeeds while the clocks may differ")
	}
	now = now.Add(10 * time.Second)
	taken, err := two.Take(ctx, "send/x", term)
	if err != nil || taken.Number != 2 {
		t.Fatalf("Take after the end = %+v, %v", taken, err)
	}
	if _, err := one.Renew(ctx, renewed, term); !errors.Is(err, host.ErrConflict) {
		t.Errorf("Renew of a lost lease = %v, want %v", err, host.ErrConflict)
	}
	if err := one.Release(ctx, renewed); err != nil {
		t.Errorf("Release of a lost lease = %v", err)
	}
	// Started again it need not wait for itself.
	again, err := host.NewLeases(s, "two", clock).Take(ctx, "send/x", term)
	if err != nil || again.Number != 3 {
		t.Fatalf("Take by the same daemon = %+v, %v", again, err)
	}
	if err := two.Release(ctx, again); err != nil {
		t.Fatal(err)
	}
	if last, err := one.Take(ctx, "send/x", term); err != nil || last.Number != 4 {
		t.Errorf("Take after Release = %+v, %v", last, err)
	}
}

func second[T any](_ T, err error) error { return err }
