package host_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
)

func openStore(t testing.TB) *boltstore.Store {
	return openStoreAt(t, time.Now)
}

func openStoreAt(t testing.TB, now func() time.Time) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "restante.db"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Check(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// formatters answers for one plugin, as told.
type formatters func(host.Batch) (host.Document, error)

func (f formatters) WriteMessages(_ context.Context, _ string, b host.Batch) (host.Document, error) {
	return f(b)
}

var haploTime = time.Date(2019, 2, 15, 10, 32, 1, 987, time.UTC)

func openExchange(t testing.TB, f formatters) *host.Exchange {
	t.Helper()
	s := openStoreAt(t, func() time.Time { return haploTime })
	queues, err := host.OpenQueues(t.Context(), s, []host.Queue{{Group: "plain"}, {Group: "pushed", Method: host.Send}})
	if err != nil {
		t.Fatal(err)
	}
	student := host.Queue{Group: "student", Method: host.Poll, Plugin: "records", Formats: true}
	if err := queues.Declare(t.Context(), student, nil); err != nil {
		t.Fatal(err)
	}
	tokens, err := host.OpenTokens(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return &host.Exchange{Store: s, Queues: queues, Tokens: tokens, Formatters: f}
}

func addText(t testing.TB, x *host.Exchange, g host.GroupName, lines string) {
	t.Helper()
	if _, err := x.Add(t.Context(), host.AddRequest{Group: g, Body: []byte(lines), Lines: true}); err != nil {
		t.Fatal(err)
	}
}

func fetch(t testing.TB, x *host.Exchange, g host.GroupName, limit int) host.Fetched {
	t.Helper()
	f, err := x.Fetch(t.Context(), g, limit)
	if err != nil {
		t.Fatalf("Fetch(%s, %d) = %v", g, limit, err)
	}
	return f
}

func TestFetchChangesNothingAndMarkIsExact(t *testing.T) {
	x := openExchange(t, nil)
	addText(t, x, "plain", strings.Repeat("{\"a\":1}\n", 40))
	first, again := fetch(t, x, "plain", 16), fetch(t, x, "plain", 16)
	if first.IDs.String() != "1-16" || first.Unread != 40 || first.Token != again.Token || first.SHA256 != again.SHA256 {
		t.Errorf("two fetches differ: %+v, %+v", first, again)
	}
	if first.Delivery == again.Delivery {
		t.Error("two fetches have one name")
	}
	small := fetch(t, x, "plain", 3)
	for _, c := range []struct {
		token host.Token
		want  host.Marked
	}{
		{small.Token, host.Marked{Marked: 3, Unread: 37}},
		{first.Token, host.Marked{Marked: 13, Unread: 24}},
		{first.Token, host.Marked{Marked: 0, Unread: 24}},
		{small.Token, host.Marked{Marked: 0, Unread: 24}},
	} {
		if got, err := x.Mark(t.Context(), "plain", c.token); err != nil || got != c.want {
			t.Errorf("Mark = %+v, %v, want %+v", got, err, c.want)
		}
	}
	if moved, _, err := x.MakeUnread(t.Context(), "plain", host.NewRanges(2, 99)); err != nil || moved != 1 {
		t.Errorf("MakeUnread = %d, %v, want 1", moved, err)
	}
	if f := fetch(t, x, "plain", 3); f.IDs.String() != "2,17-18" {
		t.Errorf("after making 2 unread the oldest are %s", f.IDs)
	}
}

func TestDefaultFormat(t *testing.T) {
	x := openExchange(t, nil)
	empty := fetch(t, x, "plain", 16)
	want := "{\n  \"version\": 0,\n  \"token\": \"" + string(empty.Token) + "\",\n  \"messages\": []\n}"
	if got := string(empty.Document.Body); got != want {
		t.Errorf("an empty queue is written as %s, want %s", got, want)
	}
	addText(t, x, "plain", `{"b":1.50,"a":{"z":[],"y":[1e400,{}]}}
{"x":1,"id":"own","datetime":null,"ä\u00e4":"\u00e4<&>"}
[1,2]
"text"
{}`)
	f := fetch(t, x, "plain", 16)
	want = `{
  "version": 0,
  "token": "` + string(f.Token) + `",
  "messages": [
    {
      "id": 1,
      "datetime": "2019-02-15T10:32:01Z",
      "b": 1.50,
      "a": {
        "z": [],
        "y": [
          1e400,
          {}
        ]
      }
    },
    {
      "id": "own",
      "datetime": null,
      "x": 1,
      "ä\u00e4": "\u00e4<&>"
    },
    {
      "id": 3,
      "datetime": "2019-02-15T10:32:01Z",
      "data": [
        1,
        2
      ]
    },
    {
      "id": 4,
      "datetime": "2019-02-15T10:32:01Z",
      "data": "text"
    },
    {
      "id": 5,
      "datetime": "2019-02-15T10:32:01Z"
    }
  ]
}`
	if got := string(f.Document.Body); got != want {
		t.Errorf("the default format is\n%s\nwant\n%s", got, want)
	}
	if f.Document.ContentType != "application/json" || f.Document.Filename != "plain.json" {
		t.Errorf("the document is %q, %q", f.Document.ContentType, f.Document.Filename)
	}
}

func TestRefusals(t *testing.T) {
	x := openExchange(t, func(host.Batch) (host.Document, error) {
		return host.Document{}, &host.UnavailableError{Plugin: "records", Reason: "it is not running"}
	})
	addText(t, x, "plain", "1\n2")
	plain := fetch(t, x, "plain", 1).Token
	add := func(r host.AddRequest) error { _, err := x.Add(t.Context(), r); return err }
	mark := func(g host.GroupName, token host.Token) error { _, err := x.Mark(t.Context(), g, token); return err }
	get := func(g host.GroupName) error { _, err := x.Fetch(t.Context(), g, 1); return err }
	for name, c := range map[string]struct{ got, want error }{
		"add to an unknown group":     {add(host.AddRequest{Group: "nobody", Body: []byte("1")}), host.ErrUnknownGroup},
		"add null":                    {add(host.AddRequest{Group: "plain", Body: []byte("null")}), host.ErrBadData},
		"add with a bad key":          {add(host.AddRequest{Group: "plain", Body: []byte("1"), Key: "a\nb"}), host.ErrBadData},
		"add with a long key":         {add(host.AddRequest{Group: "plain", Body: []byte("1"), Key: strings.Repeat("k", 256)}), host.ErrTooLarge},
		"add too large":               {add(host.AddRequest{Group: "plain", Body: []byte(`"` + strings.Repeat("x", host.MaxMessageBytes) + `"`)}), host.ErrTooLarge},
		"add too many":                {add(host.AddRequest{Group: "plain", Body: []byte(strings.Repeat("1\n", host.MaxAddition+1)), Lines: true}), host.ErrTooLarge},
		"fetch an unknown group":      {get("nobody"), host.ErrUnknownGroup},
		"fetch a send queue":          {get("pushed"), host.ErrWrongMethod},
		"mark a send queue":           {mark("pushed", plain), host.ErrWrongMethod},
		"mark with a foreign token":   {mark("student", plain), host.ErrBadToken},
		"mark with a preview token":   {mark("plain", host.PreviewToken), host.ErrBadToken},
		"mark with a made-up token":   {mark("plain", "[1,2]"), host.ErrBadToken},
		"mark with a cut token":       {mark("plain", plain[:len(plain)-1]), host.ErrBadToken},
		"preview a missing message":   {preview(x, "plain", 9), host.ErrNoMessage},
		"preview of an unknown group": {preview(x, "nobody", 1), host.ErrUnknownGroup},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s = %v, want %v", name, c.got, c.want)
		}
	}
	if _, ok := errors.AsType[*host.UnavailableError](get("student")); !ok {
		t.Errorf("fetch without the plugin = %v", get("student"))
	}
	addText(t, x, "student", "1")
	if counts, err := x.Store.Counts(t.Context(), "plain"); err != nil || counts.Unread != 2 || counts.Last != 2 {
		t.Errorf("after all refusals the counts are %+v, %v", counts, err)
	}
}

func preview(x *host.Exchange, g host.GroupName, id host.ID) error {
	_, err := x.Preview(context.Background(), g, host.NewRanges(id))
	return err
}

func TestPluginDocumentsAreNotTrusted(t *testing.T) {
	var d host.Document
	x := openExchange(t, func(host.Batch) (host.Document, error) { return d, nil })
	for _, d = range []host.Document{
		{},
		{ContentType: "xml"},
		{ContentType: "text/xml\r\nSet-Cookie: a=b"},
		{ContentType: "text/plain; ü=1"},
		{ContentType: "text/xml", Filename: "../x"},
		{ContentType: "text/xml", Filename: "a\nb"},
		{ContentType: "text/xml", Filename: ".."},
		{ContentType: "text/xml", Filename: "\xff"},
		{ContentType: "text/xml", Filename: strings.Repeat("x", 256)},
	} {
		if _, err := x.Fetch(t.Context(), "student", 1); err == nil || !strings.Contains(err.Error(), "records") {
			t.Errorf("a document with type %q and name %q was served: %v", d.ContentType, d.Filename, err)
		}
	}
	d = host.Document{ContentType: "application/xml; charset=utf-8", Filename: "é ü.xml", Body: []byte("<x/>")}
	if f := fetch(t, x, "student", 1); string(f.Document.Body) != "<x/>" {
		t.Errorf("a good document came out as %+v", f.Document)
	}
}

func TestAwait(t *testing.T) {
	x := openExchange(t, nil)
	done := make(chan error, 1)
	go func() { done <- x.Await(t.Context(), "plain") }()
	addText(t, x, "plain", "1")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := x.Await(t.Context(), "plain"); err != nil {
		t.Error(err)
	}
	if err := x.Await(t.Context(), "nobody"); !errors.Is(err, host.ErrUnknownGroup) {
		t.Errorf("Await of an unknown group = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- x.Await(ctx, "student") }()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Await that was called off = %v", err)
	}
}

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
		if _, err := keys.Authorize(c.text, c.group, c.permission); !errors.Is(err, c.want) {
			t.Errorf("%s: Authorize = %v, want %v", c.name, err, c.want)
		}
	}
	now = now.Add(time.Hour)
	if _, err := keys.Authorize(brief, "g", host.MayPoll); !errors.Is(err, host.ErrUnauthorized) {
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
		if _, err := k.Authorize(poll, "g", host.MayPoll); !errors.Is(err, host.ErrUnauthorized) {
			t.Errorf("a revoked key = %v", err)
		}
		if _, err := k.Authorize(all, "g", host.MayAdd); err != nil {
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
