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

func (f formatters) FormatHTTPRequest(_ context.Context, _ string, b host.Batch, d host.Document) (host.HTTPRequest, error) {
	return host.HTTPRequest{Method: "PUT", URL: "?of=" + b.IDs().String(), Headers: []host.HTTPHeader{{Name: "X-Type", Value: d.ContentType}}}, nil
}

func (f formatters) Edition(plugin string) host.Edition {
	return host.Edition{Origin: host.Origin{Plugin: plugin, Version: "1"}}
}

// Understudy has its calls answered as those of the one that serves.
func (f formatters) Understudy(context.Context, string, host.GroupName) (host.Understudy, error) {
	return understudy{f}, nil
}

type understudy struct{ formatters }

func (u understudy) Edition() host.Edition { return u.formatters.Edition("records") }

func (u understudy) WriteMessages(ctx context.Context, b host.Batch) (host.Document, error) {
	return u.formatters.WriteMessages(ctx, "records", b)
}

func (understudy) Close(context.Context) {}

var haploTime = time.Date(2019, 2, 15, 10, 32, 1, 987, time.UTC)

func openExchange(t testing.TB, f formatters) *host.Exchange {
	t.Helper()
	return openExchangeOn(t, openStoreAt(t, func() time.Time { return haploTime }), f)
}

func openExchangeOn(t testing.TB, s host.Store, f formatters) *host.Exchange {
	t.Helper()
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
	f, err := x.Fetch(t.Context(), g, limit, host.Caller{})
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
	small := fetch(t, x, "plain", 3)
	if first.Delivery != again.Delivery || first.Delivery == small.Delivery || first.Delivery == "" {
		t.Errorf("the deliveries are %q, %q and %q", first.Delivery, again.Delivery, small.Delivery)
	}
	for _, c := range []struct {
		token host.Token
		want  host.Marked
	}{
		{small.Token, host.Marked{Marked: 3, Unread: 37}},
		{first.Token, host.Marked{Marked: 13, Unread: 24}},
		{first.Token, host.Marked{Marked: 0, Unread: 24}},
		{small.Token, host.Marked{Marked: 0, Unread: 24}},
	} {
		if got, err := x.Mark(t.Context(), "plain", c.token, nil, host.Caller{}); err != nil || got != c.want {
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
	mark := func(g host.GroupName, token host.Token) error {
		_, err := x.Mark(t.Context(), g, token, nil, host.Caller{})
		return err
	}
	get := func(g host.GroupName) error { _, err := x.Fetch(t.Context(), g, 1, host.Caller{}); return err }
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
		if _, err := x.Fetch(t.Context(), "student", 1, host.Caller{}); err == nil || !strings.Contains(err.Error(), "records") {
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
