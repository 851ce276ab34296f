package api_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/api"
)

func TestOpenAPIHasEveryRoute(t *testing.T) {
	doc, err := described()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	var want []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			want = append(want, method+" "+path)
		}
	}
	got := s.api.Paths()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("routes =\n%s\nopenapi.yaml has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	s := start(t)
	a := s.do(t, call{method: "GET", path: "/api/openapi.yaml"})
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if a.body != string(text) || a.header.Get("Content-Type") != "application/yaml" {
		t.Errorf("it is served as %s, %d bytes, want %d", a.header.Get("Content-Type"), len(a.body), len(text))
	}
}

func TestOpenAPIExplainsEveryProblem(t *testing.T) {
	doc, err := described()
	if err != nil {
		t.Fatal(err)
	}
	explained, ok := doc.Extensions["x-problems"].(map[string]any)
	if !ok {
		t.Fatalf("x-problems = %T", doc.Extensions["x-problems"])
	}
	got, want := slices.Sorted(maps.Keys(explained)), api.Problems()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("x-problems has %q, the table of errors %q", got, want)
	}
}

func TestOpenAPIStatesLimits(t *testing.T) {
	doc, err := described()
	if err != nil {
		t.Fatal(err)
	}
	fetch := doc.Paths.Value(api.Base + "/poll/{group}/fetch").Get
	limit := fetch.Parameters.GetByInAndName("query", "limit").Schema.Value
	if *limit.Min != 1 || *limit.Max != host.MaxFetch || fmt.Sprint(limit.Default) != fmt.Sprint(host.DefaultFetch) {
		t.Errorf("limit = %v to %v, default %v", *limit.Min, *limit.Max, limit.Default)
	}
	if wait := fetch.Parameters.GetByInAndName("query", "wait").Schema.Value; *wait.Max != api.LongestWait.Seconds() {
		t.Errorf("wait is at most %v", *wait.Max)
	}
}

// Every status that openapi.yaml has for an operation can be brought about,
// and do holds each of these requests and responses to the file.
func TestOpenAPIEveryStatus(t *testing.T) {
	doc, err := described()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *api.Config, _ *http.Server) { c.MaxWaiting = 1 })
	s.fill(t, "student", `{"a":1}`)
	fetch := call{method: "GET", path: "/poll/student/fetch", key: s.all}
	first := s.do(t, fetch)
	mark := markCall(s.all, first.header.Get("Restante-Token"))
	add := call{method: "POST", path: "/add/student", key: s.all, body: `1`,
		header: map[string]string{"Content-Type": "application/json", "Idempotency-Key": "k"}}

	reached := map[string]bool{}
	reach := func(operation string, c call) {
		t.Helper()
		reached[operation+" "+strconv.Itoa(s.do(t, c).status)] = true
	}
	with := func(c call, change func(*call)) call {
		header := maps.Clone(c.header)
		if c.header = header; header == nil {
			c.header = map[string]string{}
		}
		change(&c)
		return c
	}
	group := func(g string) func(*call) {
		return func(c *call) { c.path = strings.Replace(c.path, "student", g, 1) }
	}
	key := func(k string) func(*call) { return func(c *call) { c.key = k } }
	header := func(name, value string) func(*call) { return func(c *call) { c.header[name] = value } }
	body := func(b string) func(*call) { return func(c *call) { c.body = b } }

	send := call{method: "POST", path: "/send/student", key: s.all}

	for operation, c := range map[string]call{"fetch": fetch, "mark": mark, "add": add, "send": send} {
		reach(operation, c)
		reach(operation, with(c, key("")))
		reach(operation, with(c, key(s.other)))
		reach(operation, with(c, group("nobody")))
		reach(operation, with(c, group("-")))
	}
	reach("fetch", with(fetch, group("push")))
	reach("mark", with(mark, group("push")))
	reach("mark", with(mark, header("Accept", "application/json")))
	reach("mark", with(mark, header("Content-Type", "text/csv")))
	reach("mark", with(mark, body(strings.Repeat("x", 5_000_000))))
	reach("add", with(add, body(`2`)))
	reach("add", with(add, body(strings.Repeat("9", 5_000_000))))
	reach("add", with(add, header("Content-Type", "text/csv")))
	reach("add", with(with(add, header("Content-Type", "application/x-ndjson")), header("Idempotency-Key", "lines")))
	for _, err := range []error{host.ErrStoreFull, errors.New("broken")} {
		s.store.breakWith(err)
		reach("mark", mark)
		reach("send", with(send, group("push")))
		reach("add", with(add, header("Idempotency-Key", "broken")))
	}
	s.store.breakWith(nil)
	reach("send", with(send, group("push")))
	for _, err := range []error{&host.UnavailableError{Plugin: "p", Reason: "r"}, errors.New("broken")} {
		s.formatters.set(func(host.Batch) (host.Document, error) { return host.Document{}, err })
		reach("fetch", with(fetch, group("formatted")))
	}
	reach("fetch", with(fetch, header("If-None-Match", "*")))

	var waiting sync.WaitGroup
	waiting.Go(func() { s.do(t, with(fetch, group("other")).wait()) })
	s.waits(t, 1)
	reach("fetch", fetch.wait())
	s.fill(t, "other", "1")
	waiting.Wait()

	reach("healthz", call{method: "GET", path: "/healthz"})
	reach("readyz", call{method: "GET", path: "/readyz"})
	notReady := errors.New("The store is not open.")
	s.notReady.Store(&notReady)
	reach("readyz", call{method: "GET", path: "/readyz"})
	readers := s.key(t, host.Grant{Groups: []host.GroupName{host.EveryGroup}, Allow: []host.Permission{host.MayReadMetrics}})
	for _, key := range []string{readers, s.all, ""} {
		reach("metrics", call{method: "GET", path: "/metrics", key: key})
	}
	reach("openapi", call{method: "GET", path: "/api/openapi.yaml"})

	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				if !reached[operation.OperationID+" "+status] {
					t.Errorf("%s %s: status %s was not brought about", method, path, status)
				}
			}
		}
	}
}
