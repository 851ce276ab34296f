package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func TestSignIn(t *testing.T) {
	x := openAccounts(t)
	ctx := t.Context()
	x.add("ann", host.Admin)
	token, s, err := x.a.SignIn(ctx, "ANN", secret, desk)
	if err != nil || s.User != "ann" || s.Address != desk.Address || s.Agent != desk.Agent || s.ID == "" {
		t.Fatalf("SignIn = %+v, %v", s, err)
	}
	got, user, err := x.b.Session(ctx, token)
	if err != nil || got != s || user.Name != "ann" || user.Role != host.Admin {
		t.Errorf("Session = %+v, %+v, %v", got, user, err)
	}
	before := x.hasher.calls.Load()
	for name, c := range map[string]struct{ name, password string }{
		"a wrong password": {"ann", secret + "."}, "no password": {"ann", ""}, "nobody": {"carl", secret}, "no name": {"", secret},
	} {
		calls := x.hasher.calls.Load()
		if _, err := x.signIn(c.name, c.password); !errors.Is(err, host.ErrSignIn) || err.Error() != host.ErrSignIn.Error() {
			t.Errorf("%s: SignIn = %v", name, err)
		}
		if did := x.hasher.calls.Load() - calls; did != 1 {
			t.Errorf("%s: %d hashes, want 1 as for everybody", name, did)
		}
	}
	for name, c := range map[string]struct{ name, password string }{
		"a huge password": {"ann", strings.Repeat("a", 1<<20)}, "a huge name": {strings.Repeat("a", 1<<20), secret},
	} {
		if _, err := x.signIn(c.name, c.password); !errors.Is(err, host.ErrSignIn) || x.hasher.calls.Load() != before+4 {
			t.Errorf("%s: SignIn = %v", name, err)
		}
	}
	x.signedIn("a token that is cut", token[1:], false)
	x.signedIn("no token", "", false)

	x.hasher.version = "2"
	if _, err := x.signIn("ann", secret); err != nil {
		t.Fatal(err)
	}
	x.hasher.version = "1"
	if _, err := x.signIn("ann", secret); err != nil || x.hasher.NeedsRehash("1:") {
		t.Errorf("SignIn after the hash was renewed = %v", err)
	}

	// Nobody sees a hash, and the store no token and no password.
	for _, v := range []any{user, s} {
		if text, _ := json.Marshal(v); strings.Contains(strings.ToLower(string(text)), "hash") || strings.Contains(string(text), "generation") {
			t.Errorf("JSON of %T is %s", v, text)
		}
	}
	for _, bucket := range []string{"users", "sessions", "invitations"} {
		all, err := x.store.Records(ctx, bucket)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if text := r.Key + string(r.Value); strings.Contains(text, token) || strings.Contains(text, secret) {
				t.Errorf("the store holds %s", text)
			}
		}
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	x := openAccounts(t)
	x.add("ann", host.Admin)
	try := func(name, password, address string) error {
		_, _, err := x.a.SignIn(t.Context(), name, password, host.SignInFrom{Address: address})
		return err
	}
	for i := range 10 {
		if err := try("ann", "wrong", fmt.Sprint("192.0.2.", i)); !errors.Is(err, host.ErrSignIn) {
			t.Fatalf("attempt %d = %v", i, err)
		}
	}
	calls := x.hasher.calls.Load()
	err := try("ANN", secret, "192.0.2.100")
	if e, ok := errors.AsType[*host.TooManyAttemptsError](err); !ok || !errors.Is(err, host.ErrTooManyAttempts) || e.After != time.Minute {
		t.Errorf("one attempt more = %v", err)
	}
	if x.hasher.calls.Load() != calls {
		t.Error("a limited attempt hashes")
	}
	x.pass(time.Minute)
	if err := try("ann", secret, "192.0.2.100"); err != nil {
		t.Errorf("a minute later = %v", err)
	}
	for range 9 {
		if err := try("ann", "wrong", "192.0.2.100"); !errors.Is(err, host.ErrSignIn) {
			t.Errorf("after a good one = %v", err)
		}
	}

	// By address: one of IPv4, and half of one of IPv6.
	for i := range 30 {
		if err := try(fmt.Sprint("nobody", i), "wrong", fmt.Sprintf("[2001:db8::%x]:%d", i, 1000+i)); !errors.Is(err, host.ErrSignIn) {
			t.Fatalf("attempt %d = %v", i, err)
		}
	}
	if err := try("somebody", "wrong", "2001:db8::ffff"); !errors.Is(err, host.ErrTooManyAttempts) {
		t.Errorf("from the same network = %v", err)
	}
	if err := try("somebody", "wrong", "2001:db8:0:1::1"); !errors.Is(err, host.ErrSignIn) {
		t.Errorf("from another network = %v", err)
	}

	// Attempts under many names push out none that counts.
	for range 10 {
		_ = try("bob", "wrong", "")
	}
	for i := range 10_200 {
		_ = try(fmt.Sprint("many", i), "wrong", "")
	}
	if err := try("bob", "wrong", ""); !errors.Is(err, host.ErrTooManyAttempts) {
		t.Errorf("after many names = %v", err)
	}
}

func TestChangePassword(t *testing.T) {
	x := openAccounts(t)
	ctx := t.Context()
	other := x.add("ann", host.Admin)
	token, err := x.signIn("ann", secret)
	if err != nil {
		t.Fatal(err)
	}
	const next = "five words are still better"
	for name, c := range map[string]struct {
		token, current, password string
		want                     error
	}{
		"nobody":         {"x", secret, next, host.ErrNoSession},
		"wrong":          {token, "wrong", next, host.ErrWrongPassword},
		"not acceptable": {token, secret, "short", host.ErrBadPassword},
	} {
		if err := x.a.ChangePassword(ctx, c.token, c.current, c.password, desk); !errors.Is(err, c.want) {
			t.Errorf("%s: ChangePassword = %v, want %v", name, err, c.want)
		}
	}
	if err := x.a.ChangePassword(ctx, token, secret, next, desk); err != nil {
		t.Fatal(err)
	}
	x.signedIn("the session that changes the password", token, true)
	x.signedIn("another session", other, false)
	if _, err := x.signIn("ann", secret); !errors.Is(err, host.ErrSignIn) {
		t.Errorf("SignIn with the old password = %v", err)
	}
	if _, err := x.signIn("ann", next); err != nil {
		t.Errorf("SignIn with the new password = %v", err)
	}
}

func TestSignInExternal(t *testing.T) {
	x := openAccounts(t)
	ctx := t.Context()
	x.add("ann", host.Admin)
	id := host.Identity{Issuer: "https://id.example.edu", Subject: "7", Name: "Eve", FullName: "Eve E.", Role: host.Operator}
	signIn := func(id host.Identity) (string, error) {
		token, _, err := x.b.SignInExternal(ctx, id, desk)
		return token, err
	}
	token, err := signIn(id)
	if err != nil {
		t.Fatal(err)
	}
	_, user, err := x.a.Session(ctx, token)
	if err != nil || !user.External || user.HasPassword || user.Role != host.Operator || user.FullName != "Eve E." || user.Subject != "7" {
		t.Errorf("Session = %+v, %v", user, err)
	}
	id.Name = "another name"
	if again, err := signIn(id); err != nil {
		t.Error(err)
	} else if s, _, err := x.a.Session(ctx, again); err != nil || s.User != "Eve" {
		t.Errorf("the second time it is %+v, %v", s, err)
	}
	x.signedIn("the first session", token, true)
	id.Role = host.Admin
	if _, err := signIn(id); err != nil {
		t.Error(err)
	}
	x.signedIn("with another role", token, false)

	for name, c := range map[string]struct {
		id   host.Identity
		want error
		says string
	}{
		"a local user's name":     {host.Identity{Issuer: "i", Subject: "s", Name: "ANN", Role: host.Admin}, host.ErrNameTaken, "with a password"},
		"another identity's name": {host.Identity{Issuer: "i", Subject: "s", Name: "eve", Role: host.Admin}, host.ErrNameTaken, "another account"},
		"a bad name":              {host.Identity{Issuer: "i", Subject: "s", Name: "\n", Role: host.Admin}, host.ErrBadUserName, "provider"},
		"no subject":              {host.Identity{Issuer: "i", Name: "x", Role: host.Admin}, nil, "subject"},
		"no role":                 {host.Identity{Issuer: "i", Subject: "s", Name: "x"}, nil, "role"},
	} {
		if _, err := signIn(c.id); err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: SignInExternal = %v", name, err)
		}
	}
	if _, err := x.signIn("eve", ""); !errors.Is(err, host.ErrSignIn) {
		t.Errorf("SignIn = %v", err)
	}
	if _, _, err := x.a.Invite(ctx, "eve", "", ""); !errors.Is(err, host.ErrExternal) {
		t.Errorf("Invite = %v", err)
	}
	if _, err := x.a.SetRole(ctx, "eve", host.Viewer); !errors.Is(err, host.ErrExternal) {
		t.Errorf("SetRole = %v", err)
	}
	if _, err := x.a.Disable(ctx, "ann"); err != nil {
		t.Error(err)
	}
	id.Role = host.Viewer
	if _, err := signIn(id); !errors.Is(err, host.ErrLastAdmin) {
		t.Errorf("the last admin is none any more = %v", err)
	}
	if _, err := x.a.Enable(ctx, "ann"); err != nil {
		t.Error(err)
	}
	if _, err := x.a.Disable(ctx, "eve"); err != nil {
		t.Error(err)
	}
	if _, err := signIn(id); !errors.Is(err, host.ErrSignIn) {
		t.Errorf("a disabled user = %v", err)
	}
}

// TestSignInExternalTogether has the same new user come from many sides.
func TestSignInExternalTogether(t *testing.T) {
	x := openAccounts(t)
	var wait sync.WaitGroup
	for i := range 8 {
		u := []*host.Users{x.a, x.b}[i%2]
		wait.Go(func() {
			id := host.Identity{Issuer: "i", Subject: "s", Name: "eve", Role: host.Viewer}
			if _, _, err := u.SignInExternal(t.Context(), id, desk); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if all, err := x.a.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("List = %+v, %v", all, err)
	}
}

// TestHashingWaits has more sign in than are compared at a time.
func TestHashingWaits(t *testing.T) {
	x := openAccounts(t)
	x.add("ann", host.Admin)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := x.a.SignIn(ctx, "ann", secret, desk); err == nil {
		t.Error("SignIn goes on after nobody waits for it")
	}
}
