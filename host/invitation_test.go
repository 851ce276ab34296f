package host_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/restante/restante/host"
)

func TestInvitations(t *testing.T) {
	x := openAccounts(t)
	ctx := t.Context()
	older, _, err := x.a.Invite(ctx, "ann", host.Admin, "root")
	if err != nil {
		t.Fatal(err)
	}
	newer, invitation, err := x.b.Invite(ctx, "ANN", host.Operator, "root")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.a.Invitation(ctx, older); !errors.Is(err, host.ErrBadInvitation) {
		t.Errorf("an older invitation = %v", err)
	}
	if i, err := x.a.Invitation(ctx, newer); err != nil || i != invitation || i.Name != "ANN" || i.Role != host.Operator || i.By != "root" || i.Reset {
		t.Errorf("Invitation = %+v, %v", i, err)
	}
	if all, err := x.b.Invitations(ctx); err != nil || len(all) != 1 || all[0] != invitation {
		t.Errorf("Invitations = %+v, %v", all, err)
	}
	if _, _, err := x.a.Accept(ctx, newer, "short", desk); !errors.Is(err, host.ErrBadPassword) {
		t.Errorf("Accept with a short password = %v", err)
	}
	token, _, err := x.a.Accept(ctx, newer, secret, desk)
	if err != nil {
		t.Fatal(err)
	}
	if _, user, err := x.b.Session(ctx, token); err != nil || user.Name != "ANN" || user.Role != host.Operator {
		t.Errorf("Session = %+v, %v", user, err)
	}
	for _, used := range []string{newer, older, ""} {
		if _, _, err := x.b.Accept(ctx, used, secret, desk); !errors.Is(err, host.ErrBadInvitation) {
			t.Errorf("Accept of a used invitation = %v", err)
		}
	}

	// For a user who is there it sets another password.
	if _, _, err := x.a.Invite(ctx, "ann", host.Admin, ""); err == nil {
		t.Error("an invitation changes the role")
	}
	reset, i, err := x.a.Invite(ctx, "ann", "", "")
	if err != nil || !i.Reset || i.Role != host.Operator {
		t.Fatalf("Invite = %+v, %v", i, err)
	}
	const next = "five words are still better"
	if _, _, err := x.b.Accept(ctx, reset, next, desk); err != nil {
		t.Fatal(err)
	}
	x.signedIn("a session from before", token, false)
	if _, err := x.signIn("ann", next); err != nil {
		t.Error(err)
	}

	late, _, err := x.a.Invite(ctx, "ann", "", "")
	if err != nil {
		t.Fatal(err)
	}
	x.pass(host.InvitationLife)
	if _, err := x.a.Invitation(ctx, late); !errors.Is(err, host.ErrBadInvitation) {
		t.Errorf("an invitation that is too old = %v", err)
	}
	if all, err := x.a.Invitations(ctx); err != nil || len(all) != 0 {
		t.Errorf("Invitations = %+v, %v", all, err)
	}
	if n, err := x.a.PruneInvitations(ctx); err != nil || n != 1 {
		t.Errorf("PruneInvitations = %d, %v", n, err)
	}

	// It ends with its user.
	for name, end := range map[string]func() error{
		"Disable":  func() error { _, err := x.a.Disable(ctx, "ann"); return err },
		"Uninvite": func() error { return x.a.Uninvite(ctx, "ann") },
	} {
		token, _, err := x.a.Invite(ctx, "ann", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
		if _, _, err := x.b.Accept(ctx, token, next, desk); !errors.Is(err, host.ErrBadInvitation) {
			t.Errorf("Accept after %s = %v", name, err)
		}
		if _, err := x.a.Enable(ctx, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	reset, _, err = x.a.Invite(ctx, "ann", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := x.a.Delete(ctx, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := x.b.Accept(ctx, reset, next, desk); !errors.Is(err, host.ErrBadInvitation) {
		t.Errorf("Accept after Delete = %v", err)
	}
	if _, _, err := x.a.Invite(ctx, "ann", "", ""); err == nil {
		t.Error("a new user has no role")
	}
	if _, _, err := x.a.Invite(ctx, "ann", host.Viewer, ""); err != nil {
		t.Fatal(err)
	}
	if err := x.a.Delete(ctx, "Ann"); err != nil {
		t.Errorf("Delete of who is only invited = %v", err)
	}
	if err := x.a.Delete(ctx, "ann"); !errors.Is(err, host.ErrNoUser) {
		t.Errorf("Delete of nobody = %v", err)
	}
	if _, _, err := x.a.Invite(ctx, "a\n", host.Viewer, ""); !errors.Is(err, host.ErrBadUserName) {
		t.Errorf("Invite of a bad name = %v", err)
	}
}

func TestFirstInvitation(t *testing.T) {
	x := openAccounts(t)
	ctx := t.Context()
	first, err := x.a.FirstInvitation(ctx)
	if err != nil || first == "" {
		t.Fatalf("FirstInvitation = %q, %v", first, err)
	}
	second, err := x.b.FirstInvitation(ctx)
	if err != nil || second == "" {
		t.Fatalf("FirstInvitation = %q, %v", second, err)
	}
	if _, _, err := x.a.Accept(ctx, first, secret, desk); !errors.Is(err, host.ErrBadInvitation) {
		t.Errorf("Accept of the one before = %v", err)
	}
	if _, _, err := x.a.Accept(ctx, second, secret, desk); err != nil {
		t.Fatal(err)
	}
	if user, err := x.a.User(ctx, "admin"); err != nil || user.Role != host.Admin {
		t.Errorf("User = %+v, %v", user, err)
	}
	if third, err := x.a.FirstInvitation(ctx); err != nil || third != "" {
		t.Errorf("FirstInvitation with a user = %q, %v", third, err)
	}
}

// TestInvitationIsUsedOnce has many use one invitation at the same time, of a new
// user and of one who is there.
func TestInvitationIsUsedOnce(t *testing.T) {
	x := openAccounts(t)
	for _, role := range []host.Role{host.Viewer, ""} {
		token, _, err := x.a.Invite(t.Context(), "ann", role, "")
		if err != nil {
			t.Fatal(err)
		}
		var accepted atomic.Int32
		var wait sync.WaitGroup
		for i := range 8 {
			u := []*host.Users{x.a, x.b}[i%2]
			wait.Go(func() {
				_, _, err := u.Accept(t.Context(), token, secret, desk)
				if err == nil {
					accepted.Add(1)
				} else if !errors.Is(err, host.ErrBadInvitation) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if n := accepted.Load(); n != 1 {
			t.Errorf("an invitation with the role %q was used %d times", role, n)
		}
	}
}
