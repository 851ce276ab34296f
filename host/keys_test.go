package host_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func TestQueuesRememberAndKeepOwners(t *testing.T) {
	s := openStore(t)
	queues, err := host.OpenQueues(t.Context(), s, []host.Queue{{Group: "plain", Title: "Plain"}, {Group: "student", Title: "Ours"}})
	if err != nil {
		t.Fatal(err)
	}
	first := host.Queue{Group: "student", Method: host.Send, Title: "Theirs", Description: "d", Plugin: "one", Formats: true, File: "one"}
	never := func(host.Queue) bool { return false }
	if err := queues.Declare(t.Context(), first, never); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Plugin, second.File = "two", "two"
	if err := queues.Declare(t.Context(), second, never); !errors.Is(err, host.ErrGroupTaken) || !strings.Contains(err.Error(), `"one"`) {
		t.Errorf("a second claim = %v, want ErrGroupTaken that names the first", err)
	}
	if err := queues.Declare(t.Context(), host.Queue{Group: "no good"}, never); !errors.Is(err, host.ErrBadGroupName) {
		t.Errorf("a bad name = %v", err)
	}
	again, err := host.OpenQueues(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if all := again.All(); len(all) != 2 || all[0].Group != "plain" || all[1] != first {
		t.Errorf("after a restart without configuration the queues are %+v", all)
	}
	q, err := queues.Queue("student")
	if err != nil || q.Title != "Ours" || q.Method != host.Send || q.Plugin != "one" || q.Description != "d" {
		t.Errorf("the configuration's title and the plugin's rest give %+v, %v", q, err)
	}
	if err := again.Declare(t.Context(), second, func(owner host.Queue) bool { return owner.File == "one" }); err != nil {
		t.Errorf("a claim after the owner has gone = %v", err)
	}
}

func TestKeys(t *testing.T) {
	s := openStore(t)
	now := time.Now()
	clock := func() time.Time { return now }
	keys, err := host.OpenKeys(t.Context(), s, clock)
	if err != nil {
		t.Fatal(err)
	}
	create := func(g host.Grant) (string, string) {
		t.Helper()
		text, key, err := keys.Create(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		return text, key.ID
	}
	poll, pollID := create(host.Grant{Note: "n", Groups: []host.GroupName{"g"}, Allow: []host.Permission{host.MayPoll}})
	all, _ := create(host.Grant{Groups: []host.GroupName{host.EveryGroup}, Allow: []host.Permission{host.MayAdd, host.MaySend}})
	brief, _ := create(host.Grant{Groups: []host.GroupName{"g"}, Allow: []host.Permission{host.MayPoll}, Expires: now.Add(time.Hour)})
	for _, c := range []struct {
		name, text string
		group      host.GroupName
		permission host.Permission
		want       error
	}{
		{"its own use", poll, "g", host.MayPoll, nil},
		{"another use", poll, "g", host.MayAdd, host.ErrForbidden},
		{"another group", poll, "h", host.MayPoll, host.ErrForbidden},
		{"every group", all, "h", host.MayAdd, nil},
		{"every group, another use", all, "h", host.MayPoll, host.ErrForbidden},
		{"before it expires", brief, "g", host.MayPoll, nil},
		{"no text", "", "g", host.MayPoll, host.ErrUnauthorized},
		{"the id alone", poll[:11], "g", host.MayPoll, host.ErrUnauthorized},
		{"a wrong secret", poll[:len(poll)-1] + "0", "g", host.MayPoll, host.ErrUnauthorized},
		{"a longer secret", poll + "a", "g", host.MayPoll, host.ErrUnauthorized},
	} {
		if _, err := keys.Authorize(t.Context(), c.text, c.group, c.permission); !errors.Is(err, c.want) {
			t.Errorf("%s: Authorize = %v, want %v", c.name, err, c.want)
		}
	}
	now = now.Add(time.Hour)
	if _, err := keys.Authorize(t.Context(), brief, "g", host.MayPoll); !errors.Is(err, host.ErrUnauthorized) {
		t.Errorf("an expired key = %v", err)
	}
	if err := keys.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Revoke(t.Context(), pollID); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Revoke(t.Context(), "nobody"); !errors.Is(err, host.ErrNoRecord) {
		t.Errorf("Revoke of nothing = %v", err)
	}
	again, err := host.OpenKeys(t.Context(), s, clock)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*host.Keys{keys, again} {
		if _, err := k.Authorize(t.Context(), poll, "g", host.MayPoll); !errors.Is(err, host.ErrUnauthorized) {
			t.Errorf("a revoked key = %v", err)
		}
		if _, err := k.Authorize(t.Context(), all, "g", host.MayAdd); err != nil {
			t.Errorf("another key after a restart = %v", err)
		}
	}
	if list := again.List(); len(list) != 3 || list[0].Used.IsZero() && list[1].Used.IsZero() {
		t.Errorf("List after a restart = %+v", list)
	}
	for _, record := range mustRecords(t, s) {
		if strings.Contains(string(record.Value), poll[12:]) {
			t.Error("the store holds the secret of a key")
		}
	}
	for _, g := range []host.Grant{{}, {Groups: []host.GroupName{"g"}}, {Groups: []host.GroupName{"a/b"}, Allow: []host.Permission{host.MayAdd}},
		{Groups: []host.GroupName{"g"}, Allow: []host.Permission{"all"}}, {Groups: []host.GroupName{"g"}, Allow: []host.Permission{host.MayAdd}, Expires: now}} {
		if _, _, err := keys.Create(t.Context(), g); err == nil {
			t.Errorf("Create(%+v) made a key", g)
		}
	}
}

func mustRecords(t *testing.T, s host.Records) []host.Record {
	t.Helper()
	all, err := s.Records(t.Context(), "api-keys")
	if err != nil || len(all) == 0 {
		t.Fatalf("Records = %d, %v", len(all), err)
	}
	return all
}

func TestCheckGroupName(t *testing.T) {
	for _, g := range []host.GroupName{"a", "9", "student-records", "A.b_c:d-e", host.GroupName(strings.Repeat("x", 128))} {
		if err := host.CheckGroupName(g); err != nil {
			t.Errorf("CheckGroupName(%q) = %v", g, err)
		}
	}
	for _, g := range []host.GroupName{"", ".", "-a", "a/b", "a b", "ä", "a\n", "*", host.GroupName(strings.Repeat("x", 129))} {
		if err := host.CheckGroupName(g); !errors.Is(err, host.ErrBadGroupName) {
			t.Errorf("CheckGroupName(%q) = %v", g, err)
		}
	}
}
