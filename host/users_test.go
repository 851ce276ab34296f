package host_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// hasher is quick, and counts.
type hasher struct {
	version       string
	calls         atomic.Int32
	now, together atomic.Int32
}

func (h *hasher) Hash(password string) (string, error) {
	defer h.count()()
	return fmt.Sprintf("%s:%x", h.version, sha256.Sum256([]byte(password))), nil
}

func (h *hasher) Verify(password, hash string) bool {
	defer h.count()()
	_, sum, _ := strings.Cut(hash, ":")
	return sum == fmt.Sprintf("%x", sha256.Sum256([]byte(password)))
}

func (h *hasher) NeedsRehash(hash string) bool { return !strings.HasPrefix(hash, h.version+":") }

func (h *hasher) count() (done func()) {
	h.calls.Add(1)
	for n, most := h.now.Add(1), h.together.Load(); n > most && !h.together.CompareAndSwap(most, n); most = h.together.Load() {
	}
	return func() { h.now.Add(-1) }
}

// accounts are two handles of users over one store, as two daemons have, and a
// clock for both.
type accounts struct {
	t      *testing.T
	store  host.Records
	hasher *hasher
	a, b   *host.Users

	mu  sync.Mutex
	now time.Time
}

func openAccounts(t *testing.T) *accounts {
	t.Helper()
	x := &accounts{t: t, store: openStore(t), hasher: &hasher{version: "1"}, now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	x.a, x.b = x.open(x.store), x.open(x.store)
	return x
}

func (x *accounts) open(records host.Records) *host.Users {
	x.t.Helper()
	u, err := host.OpenUsers(x.t.Context(), records, x.hasher, x.clock)
	if err != nil {
		x.t.Fatal(err)
	}
	return u
}

func (x *accounts) clock() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

func (x *accounts) pass(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.now = x.now.Add(d)
}

const secret = "four words are enough"

var desk = host.SignInFrom{Address: "192.0.2.1:4711", Agent: "Browser/1"}

// add makes a user with the password secret, and returns the token of the first
// session.
func (x *accounts) add(name string, role host.Role) string {
	x.t.Helper()
	invitation, _, err := x.a.Invite(x.t.Context(), name, role, "")
	if err != nil {
		x.t.Fatal(err)
	}
	token, _, err := x.b.Accept(x.t.Context(), invitation, secret, desk)
	if err != nil {
		x.t.Fatal(err)
	}
	return token
}

func (x *accounts) signIn(name, password string) (string, error) {
	token, _, err := x.a.SignIn(x.t.Context(), name, password, desk)
	return token, err
}

// signedIn checks whether a token is good on both handles.
func (x *accounts) signedIn(what, token string, want bool) {
	x.t.Helper()
	for _, u := range []*host.Users{x.a, x.b} {
		if _, _, err := u.Session(x.t.Context(), token); want && err != nil || !want && !errors.Is(err, host.ErrNoSession) {
			x.t.Errorf("%s: Session = %v, want a session: %v", what, err, want)
		}
	}
}

func TestRoles(t *testing.T) {
	order := []host.Role{host.Viewer, host.Operator, host.Admin}
	for i, has := range order {
		for j, needs := range order {
			if got := has.Allows(needs); got != (i >= j) {
				t.Errorf("%q.Allows(%q) = %v", has, needs, got)
			}
		}
		if has.Allows("") || has.Allows("root") || host.Role("root").Allows(has) || host.Role("").Allows(has) {
			t.Errorf("an unknown role is compared with %q", has)
		}
	}
	if _, err := host.ParseRole("Admin"); err == nil {
		t.Error("ParseRole takes any case")
	}
}

func TestCheckUserName(t *testing.T) {
	for _, name := range []string{"a", "ann@example.edu", "Ann Ó Briain", `EXAMPLE\ann`, strings.Repeat("é", 128)} {
		if err := host.CheckUserName(name); err != nil {
			t.Errorf("CheckUserName(%q) = %v", name, err)
		}
	}
	for _, name := range []string{"", " a", "a ", "a\nb", "a\x00", "a\u202eb", "a\u200bb", "\xff", strings.Repeat("é", 129)} {
		if err := host.CheckUserName(name); !errors.Is(err, host.ErrBadUserName) {
			t.Errorf("CheckUserName(%q) = %v", name, err)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	for _, password := range []string{secret, "tr0ub4dor&3!", strings.Repeat("ab", 512), "пароль из слов"} {
		if err := host.CheckPassword(password, "ann"); err != nil {
			t.Errorf("CheckPassword(%q) = %v", password, err)
		}
	}
	for _, password := range []string{"", "elevenchars", "ééééééééééé", "aaaaaaaaaaaaa", "AAAAaaaaAAAA", "Password1234", "ANN@example.edu",
		"twelve chars\xff", strings.Repeat("ab", 513)} {
		if err := host.CheckPassword(password, "ann@example.edu"); !errors.Is(err, host.ErrBadPassword) {
			t.Errorf("CheckPassword(%q) = %v", password, err)
		}
	}
}

func TestUsers(t *testing.T) {
	x := openAccounts(t)
	ctx := t.Context()
	ann, bob := x.add("Ann@example.edu", host.Admin), x.add("bob", host.Viewer)
	all, err := x.b.List(ctx)
	if err != nil || len(all) != 2 || all[0].Name != "Ann@example.edu" || !all[0].HasPassword || all[0].LastSignIn.IsZero() {
		t.Fatalf("List = %+v, %v", all, err)
	}
	if user, err := x.b.User(ctx, "ANN@EXAMPLE.EDU"); err != nil || user != all[0] {
		t.Errorf("User = %+v, %v, want %+v", user, err, all[0])
	}
	if _, err := x.a.User(ctx, "carl"); !errors.Is(err, host.ErrNoUser) {
		t.Errorf("User of nobody = %v", err)
	}

	if user, err := x.a.SetRole(ctx, "BOB", host.Operator); err != nil || user.Role != host.Operator {
		t.Errorf("SetRole = %+v, %v", user, err)
	}
	x.signedIn("after another role", bob, false)
	bob, err = x.signIn("Bob", secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.a.SetRole(ctx, "bob", host.Operator); err != nil {
		t.Error(err)
	}
	x.signedIn("after the same role", bob, true)
	if user, err := x.b.Disable(ctx, "bob"); err != nil || !user.Disabled {
		t.Errorf("Disable = %+v, %v", user, err)
	}
	x.signedIn("after disabling", bob, false)
	if _, err := x.signIn("bob", secret); !errors.Is(err, host.ErrSignIn) {
		t.Errorf("SignIn of a disabled user = %v", err)
	}
	if user, err := x.b.Enable(ctx, "bob"); err != nil || user.Disabled {
		t.Errorf("Enable = %+v, %v", user, err)
	}
	x.signedIn("after enabling", bob, false)
	if bob, err = x.signIn("bob", secret); err != nil {
		t.Fatal(err)
	}
	if err := x.a.Delete(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	x.add("bob", host.Viewer)
	x.signedIn("of a deleted user, as another has the name", bob, false)
	x.signedIn("of another user", ann, true)

	for name, do := range map[string]func() error{
		"Disable": func() error { _, err := x.a.Disable(ctx, "ann@example.edu"); return err },
		"SetRole": func() error { _, err := x.a.SetRole(ctx, "ann@example.edu", host.Operator); return err },
		"Delete":  func() error { return x.a.Delete(ctx, "ann@example.edu") },
	} {
		if err := do(); !errors.Is(err, host.ErrLastAdmin) {
			t.Errorf("%s of the last admin = %v", name, err)
		}
	}
	x.signedIn("of the last admin", ann, true)
	for name, err := range map[string]error{
		"Enable": errorOf(x.a.Enable(ctx, "carl")), "Disable": errorOf(x.a.Disable(ctx, "carl")),
		"SetRole": errorOf(x.a.SetRole(ctx, "carl", host.Admin)), "Delete": x.a.Delete(ctx, "carl"),
		"Sessions": errorOf(x.a.Sessions(ctx, "carl")), "SignOutEverywhere": x.a.SignOutEverywhere(ctx, "carl"),
	} {
		if !errors.Is(err, host.ErrNoUser) {
			t.Errorf("%s of nobody = %v", name, err)
		}
	}
	if _, err := x.a.SetRole(ctx, "bob", "root"); err == nil {
		t.Error("SetRole takes any role")
	}
}

func errorOf[T any](_ T, err error) error { return err }

type kept = host.Records

// interrupted calls before once, in the middle of a change of a user.
type interrupted struct {
	kept
	before func()
}

func (r *interrupted) now(bucket string) {
	if before := r.before; bucket == "users" && before != nil {
		r.before = nil
		before()
	}
}

func (r *interrupted) PutRecord(ctx context.Context, bucket string, record host.Record) (uint64, error) {
	r.now(bucket)
	return r.kept.PutRecord(ctx, bucket, record)
}

func (r *interrupted) DeleteRecord(ctx context.Context, bucket string, record host.Record) error {
	r.now(bucket)
	return r.kept.DeleteRecord(ctx, bucket, record)
}

// TestLastAdminOfTwoDaemons has one daemon remove one admin while another is
// removing the other.
func TestLastAdminOfTwoDaemons(t *testing.T) {
	for name, remove := range map[string]func(*host.Users) error{
		"disable": func(u *host.Users) error { _, err := u.Disable(t.Context(), "ann"); return err },
		"demote":  func(u *host.Users) error { _, err := u.SetRole(t.Context(), "ann", host.Viewer); return err },
		"delete":  func(u *host.Users) error { return u.Delete(t.Context(), "ann") },
	} {
		t.Run(name, func(t *testing.T) {
			x := openAccounts(t)
			token := x.add("ann", host.Admin)
			x.add("bob", host.Admin)
			records := &interrupted{kept: x.store}
			u := x.open(records)
			records.before = func() {
				if _, err := x.b.Disable(t.Context(), "bob"); err != nil {
					t.Errorf("the one that is first = %v", err)
				}
			}
			if err := remove(u); !errors.Is(err, host.ErrLastAdmin) {
				t.Errorf("the one that is second = %v", err)
			}
			if user, err := x.a.User(t.Context(), "ann"); err != nil || user.Disabled || user.Role != host.Admin {
				t.Errorf("the last admin is %+v, %v", user, err)
			}
			x.signedIn("the last admin", token, true)
		})
	}
}

func TestUsersTogether(t *testing.T) {
	x := openAccounts(t)
	const admins = 4
	for i := range admins {
		x.add(fmt.Sprint("admin", i), host.Admin)
	}
	var wait sync.WaitGroup
	for i := range admins {
		u := []*host.Users{x.a, x.b}[i%2]
		name := fmt.Sprint("admin", i)
		wait.Go(func() {
			for range 10 {
				if _, err := u.Disable(t.Context(), name); err != nil && !errors.Is(err, host.ErrLastAdmin) {
					t.Error(err)
				}
				if token, _, err := u.SignIn(t.Context(), name, secret, host.SignInFrom{}); err == nil {
					if err := u.SignOut(t.Context(), token); err != nil {
						t.Error(err)
					}
				} else if !errors.Is(err, host.ErrSignIn) && !errors.Is(err, host.ErrTooManyAttempts) {
					t.Error(err)
				}
				if _, err := u.Enable(t.Context(), name); err != nil {
					t.Error(err)
				}
				if _, err := u.PruneSessions(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if _, err := u.Disable(t.Context(), name); err != nil && !errors.Is(err, host.ErrLastAdmin) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	all, err := x.a.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	enabled := 0
	for _, user := range all {
		if !user.Disabled {
			enabled++
		}
	}
	if enabled == 0 {
		t.Error("no admin is left")
	}
	if most := x.hasher.together.Load(); most > 4 { // two of each handle
		t.Errorf("%d passwords were hashed at a time", most)
	}
}
