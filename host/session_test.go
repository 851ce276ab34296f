package host_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func TestSessions(t *testing.T) {
	x := openAccounts(t)
	ctx := t.Context()
	first := x.add("ann", host.Admin)
	bob := x.add("bob", host.Viewer)
	x.pass(10 * time.Minute)
	second, s, err := x.b.SignIn(ctx, "ann", secret, host.SignInFrom{Address: "2001:db8::1", Agent: strings.Repeat("é", 300)})
	if err != nil {
		t.Fatal(err)
	}
	all, err := x.a.Sessions(ctx, "ANN")
	if err != nil || len(all) != 2 || all[0] != s || all[0].ID == all[1].ID || len(s.Agent) != 256 {
		t.Fatalf("Sessions = %+v, %v, want %+v first", all, err, s)
	}
	if err := x.a.EndSession(ctx, "bob", s.ID); !errors.Is(err, host.ErrNoSession) {
		t.Errorf("EndSession of another user's = %v", err)
	}
	if err := x.a.EndSession(ctx, "ann", all[1].ID); err != nil {
		t.Error(err)
	}
	x.signedIn("a session that was ended", first, false)
	x.signedIn("another", second, true)
	for range 2 {
		if err := x.a.SignOut(ctx, second); err != nil {
			t.Error(err)
		}
	}
	x.signedIn("after signing out", second, false)
	third, err := x.signIn("ann", secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.b.SignOutEverywhere(ctx, "ann"); err != nil {
		t.Error(err)
	}
	x.signedIn("after signing out everywhere", third, false)
	x.signedIn("another user", bob, true)
	if all, err := x.a.Sessions(ctx, "ann"); err != nil || len(all) != 0 {
		t.Errorf("Sessions = %+v, %v", all, err)
	}
	if n, err := x.a.PruneSessions(ctx); err != nil || n != 1 {
		t.Errorf("PruneSessions = %d, %v", n, err)
	}
	x.signedIn("another user", bob, true)
}

func TestSessionsExpire(t *testing.T) {
	x := openAccounts(t)
	ctx := t.Context()
	token := x.add("ann", host.Admin)
	idle := x.add("bob", host.Viewer)
	revision := func() uint64 {
		records, err := x.store.Records(ctx, "sessions")
		if err != nil {
			t.Fatal(err)
		}
		var sum uint64
		for _, r := range records {
			sum += r.Revision
		}
		return sum
	}
	before := revision()
	x.pass(4 * time.Minute)
	if x.signedIn("at once", token, true); revision() != before {
		t.Error("each use of a session is written")
	}
	for elapsed := 4 * time.Minute; elapsed < host.SessionLife; elapsed += 11 * time.Hour {
		x.signedIn(fmt.Sprint("in use, after ", elapsed), token, true)
		if elapsed > host.SessionIdle {
			x.signedIn("idle", idle, false)
		}
		x.pass(11 * time.Hour)
	}
	x.signedIn("in use, too old", token, false)
	if n, err := x.a.PruneSessions(ctx); err != nil || n != 2 {
		t.Errorf("PruneSessions = %d, %v", n, err)
	}
}

func TestSessionsAreFew(t *testing.T) {
	x := openAccounts(t)
	first := x.add("ann", host.Admin)
	var last string
	for range 50 {
		x.pass(time.Second)
		var err error
		if last, err = x.signIn("ann", secret); err != nil {
			t.Fatal(err)
		}
	}
	all, err := x.a.Sessions(t.Context(), "ann")
	if err != nil || len(all) != 50 {
		t.Errorf("Sessions = %d, %v", len(all), err)
	}
	x.signedIn("the oldest", first, false)
	x.signedIn("the newest", last, true)
}

// TestSessionEndsWhileUsed signs out while other requests use the session.
func TestSessionEndsWhileUsed(t *testing.T) {
	x := openAccounts(t)
	token := x.add("ann", host.Admin)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				x.pass(time.Minute)
				if _, _, err := x.b.Session(t.Context(), token); err != nil && !errors.Is(err, host.ErrNoSession) {
					t.Error(err)
				}
			}
		})
	}
	if err := x.a.SignOut(t.Context(), token); err != nil {
		t.Error(err)
	}
	x.signedIn("signed out", token, false)
	wait.Wait()
	x.signedIn("signed out", token, false)
}
