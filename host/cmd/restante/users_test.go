package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/control"
	"github.com/restante/restante/host/password"
)

// withUsers calls do with the users in a data folder that nobody has open.
func withUsers(t *testing.T, data string, do func(*host.Users)) {
	t.Helper()
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(data, app.StoreName)})
	if err != nil {
		t.Fatal(err)
	}
	users, err := host.OpenUsers(t.Context(), store, password.New(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	do(users)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

const goodPassword = "four words are enough"

// accept uses the invitation of a link, and returns the token of the session.
func accept(t *testing.T, users *host.Users, link string) string {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := users.Accept(t.Context(), u.Query().Get("token"), goodPassword, host.SignInFrom{})
	if err != nil {
		t.Fatalf("accept %s: %v", link, err)
	}
	return session
}

// TestUsers runs every command on users with a daemon, and then without one on
// its data folder.
func TestUsers(t *testing.T) {
	d := newDaemon(t)
	withUsers(t, d.data, func(users *host.Users) {
		for name, role := range map[string]host.Role{"Root": host.Admin, "ann@example.edu": host.Viewer} {
			token, _, err := users.Invite(t.Context(), name, role, "")
			if err != nil {
				t.Fatal(err)
			}
			accept(t, users, "/?token="+token)
		}
	})
	f, err := os.OpenFile(d.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("url = \"https://restante.example.edu/\"\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	d.start()
	var link, session string
	for _, mode := range []string{"with a daemon", "without a daemon"} {
		t.Run(mode, func(t *testing.T) {
			prefix := "https://restante.example.edu"
			if mode == "without a daemon" {
				if err := d.stop(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				prefix = ""
				withUsers(t, d.data, func(users *host.Users) { session = accept(t, users, link) })
			}
			check := func(want string, args ...string) {
				t.Helper()
				if out := must(t, "", append(append([]string{"users"}, args...), "--data", d.data)...); !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("restante users %s prints\n%s\nwant %s", strings.Join(args, " "), out, want)
				}
			}
			check(`(?m)^NAME +ROLE +STATE[^\n]*\nann@example.edu +viewer +active +a password +\S+ \S+ +\S+ \S+$`, "list")
			check(`^ann@example.edu has the role operator\n$`, "role", "ANN@example.edu", "operator")
			check(`^disabled ann@example.edu\n$`, "disable", "ann@example.edu")
			check(`(?m)^ann@example.edu +operator +disabled`, "list")
			check(`^enabled ann@example.edu\n$`, "enable", "ann@example.edu")
			check(`"role": "viewer"`, "role", "ann@example.edu", "viewer", "--json")
			check(`^signed out Root\n$`, "sign-out", "Root")
			check(`^`+regexp.QuoteMeta(prefix)+`/admin/invitation\?token=[a-z2-7]{26}\n$`, "invite", "ann@example.edu")
			check(`(?m)^ann@example.edu +viewer +may choose another password until `, "list")
			check(`"link": "`+regexp.QuoteMeta(prefix)+`/admin/`, "invite", "B/ob?#", "--role", "operator", "--json")
			check(`(?m)^B/ob\?# +operator +invited until `, "list")
			check(`^deleted B/ob\?#\n$`, "delete", "B/ob?#")
			link = must(t, "", "users", "invite", "carl "+strings.Fields(mode)[0], "--role", "admin", "--data", d.data)
		})
	}
	var all control.Users
	text := must(t, "", "users", "list", "--json", "--data", d.data)
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all.Users) != 3 || len(all.Invitations) != 2 || strings.Contains(text, "argon2") {
		t.Errorf("users list --json prints %s, %v", text, err)
	}
	must(t, "", "users", "delete", "carl with", "--data", d.data)
	withUsers(t, d.data, func(users *host.Users) {
		if _, _, err := users.Session(t.Context(), session); err == nil {
			t.Error("a deleted user is signed in")
		}
	})
	for name, c := range map[string]struct{ args, want []string }{
		"nobody":           {[]string{"disable", "eve"}, []string{`user "eve": no such user`, "hint:", "users list"}},
		"the last admin":   {[]string{"disable", "root"}, []string{"last admin", "hint:", "users role"}},
		"an unknown role":  {[]string{"invite", "eve", "--role", "root"}, []string{`unknown role "root"`, "viewer"}},
		"no role":          {[]string{"invite", "eve"}, []string{`no user "eve"`, "needs a role"}},
		"another role":     {[]string{"invite", "root", "--role", "viewer"}, []string{`has the role "admin" already`}},
		"a bad name":       {[]string{"invite", "a\nb", "--role", "viewer"}, []string{"not a user name"}},
		"no name":          {[]string{"role", "viewer"}, []string{"usage: restante users role NAME ROLE"}},
		"deleting nothing": {[]string{"delete", "eve"}, []string{"no such user", "hint:"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := restante(t.Context(), append(append([]string{"users"}, c.args...), "--data", d.data)...)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Run(); err == nil {
				t.Error("it succeeded")
			}
			for _, want := range append(c.want, "restante: error: ") {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("it printed %s, want %q", &errs, want)
				}
			}
		})
	}
}
