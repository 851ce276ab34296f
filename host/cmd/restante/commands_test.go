package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestCommands runs every command with a daemon, and then without one on its
// data folder.
func TestCommands(t *testing.T) {
	d := newDaemon(t)
	d.start()
	file := filepath.Join(t.TempDir(), "messages.ndjson")
	if err := os.WriteFile(file, []byte("{\"a\":2}\n\n{\"a\":3}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"with a daemon", "without a daemon"} {
		t.Run(mode, func(t *testing.T) {
			id := 0
			if mode == "without a daemon" {
				d.stop(syscall.SIGTERM)
				id = 4
			}
			check := func(stdin, want string, args ...string) {
				t.Helper()
				if out := must(t, stdin, append(args, "--data", d.data)...); !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("restante %s prints\n%s\nwant %s", strings.Join(args, " "), out, want)
				}
			}
			check("{\n  \"a\": 1\n}\n", fmt.Sprintf(`^%d\n$`, id+1), "add", "plain")
			check("", fmt.Sprintf(`^%d\n%d\n$`, id+2, id+3), "add", "plain", file)
			check("4", fmt.Sprintf(`^%d\n$`, id+4), "add", "plain", "--key", mode)
			check("4", fmt.Sprintf(`^%d\n$`, id+4), "add", "plain", "--key", mode)
			check("", fmt.Sprintf(`(?s)plain +poll +%d +0 +0 +- +default JSON.*pushed +send +0`, id+4), "queues")
			check("", `"unread": `+fmt.Sprint(id+4), "queues", "--json")
			check("", fmt.Sprintf(`(?m)^%d +\S+ \S+ +unread +%s +4$`, id+4, mode), "messages", "list", "plain", "--limit", "2")
			check("", `(?s)Status: +unread.*"a": 1`, "messages", "show", "plain", fmt.Sprint(id+1))
			check("", `(?s)"token": "preview".*"a": 1`, "messages", "preview", "plain", fmt.Sprint(id+1))
			check("", fmt.Sprintf(`^Made unread: 0, Unread: %d\n$`, id+4), "messages", "unread", "plain", "1-99")
			check("", fmt.Sprintf(`^Held: 1, Unread: %d\n$`, id+3), "messages", "hold", "plain", fmt.Sprint(id+1))
			check("", fmt.Sprintf(`^ID[^\n]*\n%d +\S+ \S+ +held [^\n]*\n$`, id+1), "messages", "list", "plain", "--status", "held,read")
			check("", fmt.Sprintf(`^Made unread: 1, Unread: %d\n$`, id+4), "messages", "unread", "plain", "1-99")
			check("", `^\[\]\n$`, "messages", "list", "plain", "--status", "held", "--json")
			check("", `^Deleted: 0\n$`, "messages", "prune", "plain", "--before", "1d")
			key := strings.TrimSpace(must(t, "", "keys", "create", "--group", "plain", "--allow", "poll", "--note", mode, "--expires", "90d", "--data", d.data))
			if !regexp.MustCompile(`^rk_[a-z2-7]{8}_[a-z2-7]{26}$`).MatchString(key) {
				t.Errorf("keys create prints %q", key)
			}
			check("", key[3:11]+` +plain +poll +valid until .*`+mode, "keys", "list")
			check("", "revoked "+key[3:11], "keys", "revoke", map[bool]string{true: key, false: key[3:11]}[id == 0])
			check("", key[3:11]+` +plain +poll +revoked`, "keys", "list")
			check("", "^tokens are sealed with a new key", "keys", "rotate-tokens")
		})
	}
	if out := must(t, "", "version"); !strings.HasPrefix(out, "restante ") {
		t.Errorf("version prints %q", out)
	}
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  []string
	}{
		"no store":             {"1", []string{"add", "plain", "--data", t.TempDir()}, []string{"no store in the data folder", "hint:", "--data"}},
		"an unknown group":     {"1", []string{"add", "nobody"}, []string{`unknown group "nobody"`, "hint:", "restante queues"}},
		"a bad group name":     {"1", []string{"add", "a/b"}, []string{"not a group name"}},
		"bad JSON":             {"{", []string{"add", "plain"}, []string{"the text ends where a name in quotes should be"}},
		"one bad line":         {"1\n{]\n3", []string{"add", "plain"}, []string{"line 2"}},
		"nothing":              {"", []string{"add", "plain"}, []string{"no JSON value"}},
		"a key used again":     {"5", []string{"add", "plain", "--key", "with a daemon"}, []string{"idempotency key", "message 4"}},
		"a missing file":       {"", []string{"add", "plain", "/nowhere/x"}, []string{"/nowhere/x"}},
		"no cluster":           {"", []string{"cluster", "status"}, []string{"no cluster of their own"}},
		"no cluster to await":  {"", []string{"cluster", "status", "--wait", "1h"}, []string{"no cluster of their own", "docs/cluster.md"}},
		"plugins, no daemon":   {"", []string{"plugins", "list"}, []string{"no daemon is running", "restante serve"}},
		"a missing message":    {"", []string{"messages", "show", "plain", "99"}, []string{`message 99 of "plain": no such message`}},
		"bad ids":              {"", []string{"messages", "unread", "plain", "x"}, []string{`"x" is not an id`}},
		"a bad status":         {"", []string{"messages", "list", "plain", "--status", "lost"}, []string{`"lost" is not a status`}},
		"a bad limit":          {"", []string{"messages", "list", "plain", "--limit", "0"}, []string{"limit must be a number from 1 to 1000"}},
		"prune without a time": {"", []string{"messages", "prune", "plain"}, []string{`"before" not set`, "usage: restante messages prune GROUP"}},
		"a bad time":           {"", []string{"messages", "prune", "plain", "--before", "soon"}, []string{`"soon" is not a time`}},
		"a key for nothing":    {"", []string{"keys", "create", "--group", "nobody", "--allow", "poll"}, []string{`group "nobody" is unknown`}},
		"a key for anything":   {"", []string{"keys", "create", "--group", "plain", "--allow", "all"}, []string{`unknown permission "all"`}},
		"prune the future":     {"", []string{"messages", "prune", "plain", "--before", "2999-01-01"}, []string{"in the future"}},
		"prune all":            {"", []string{"messages", "prune", "plain", "--before", "0d"}, []string{`"0d" is not a time`}},
		"a key for a bad name": {"", []string{"keys", "create", "--group", "a b", "--allow", "poll"}, []string{"not a group name"}},
		"revoking nothing":     {"", []string{"keys", "revoke", "aaaaaaaa"}, []string{`no API key with the id "aaaaaaaa"`, "hint:", "keys list"}},
		"releasing nothing":    {"", []string{"queues", "release", "plain"}, []string{"belongs to no plugin"}},
		"an unknown command":   {"", []string{"start"}, []string{`unknown command "start"`, "hint:"}},
		"an unknown member":    {"", []string{"keys", "frob"}, []string{`unknown command "frob" for "restante keys"`, "hint:"}},
		"no group":             {"", []string{"add"}, []string{"received 0", "usage: restante add GROUP [FILE]"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := restante(t.Context(), c.args...)
			cmd.Env = append(cmd.Env, "RESTANTE_DATA="+d.data)
			var errs bytes.Buffer
			cmd.Stdin, cmd.Stderr = strings.NewReader(c.stdin), &errs
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
	var counts []struct{ Group, Unread any }
	if err := json.Unmarshal([]byte(must(t, "", "queues", "--json", "--data", d.data)), &counts); err != nil || fmt.Sprint(counts[0].Unread) != "8" {
		t.Errorf("after all refusals the queues are %v, %v", counts, err)
	}
}
