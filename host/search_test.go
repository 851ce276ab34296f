package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/restante/restante/host"
)

// search returns all that a query finds, in parts of a few.
func search(t testing.TB, x *host.Exchange, q host.Query) (all []host.ID) {
	t.Helper()
	q.Limit = 3
	for {
		found, more, err := x.Search(t.Context(), "plain", q, nil)
		if err != nil || len(found) > 3 || more > 0 && len(found) < 3 {
			t.Fatalf("Search(%+v) = %v, %d, %v", q, found, more, err)
		}
		all = append(all, found...)
		if q.To = more; more == 0 {
			return all
		}
	}
}

func TestSearch(t *testing.T) {
	x := openExchange(t, nil)
	for _, line := range []string{
		`{"name":"Ada Lovelace"}`, `{"name":"Zo\u00eb"}`, `{"name":"Zoë"}`, `["a\\b","c\/d","tab\there"]`,
		`"\ud83d\ude00"`, `"ADA"`, `"ada, not \"here\""`, `12345`, `"no name"`, `"\\u0041da"`,
	} {
		addText(t, x, "plain", line+"\n")
	}
	if _, _, err := x.Hold(t.Context(), "plain", host.NewRanges(6, 8)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    host.Query
		want []host.ID
	}{
		{host.Query{Text: "ada"}, []host.ID{7, 6, 1}},
		{host.Query{Text: "aDa", Status: []host.Status{host.Held}}, []host.ID{6}},
		{host.Query{Text: "ada", From: 2}, []host.ID{7, 6}},
		{host.Query{Text: "ada", From: 1, To: 6}, []host.ID{6, 1}},
		{host.Query{Text: "zoë"}, []host.ID{3, 2}},
		{host.Query{Text: "\\u00EB"}, []host.ID{2}},
		{host.Query{Text: `a\b`}, []host.ID{4}},
		{host.Query{Text: `a\\b`}, []host.ID{4}},
		{host.Query{Text: "c/d"}, []host.ID{4}},
		{host.Query{Text: "tab\there"}, []host.ID{4}},
		{host.Query{Text: "😀"}, []host.ID{5}},
		{host.Query{Text: `"here"`}, []host.ID{7}},
		{host.Query{Text: `\u0041DA`}, []host.ID{10}},
		{host.Query{Text: "234"}, []host.ID{8}},
		{host.Query{Text: "nobody"}, nil},
		{host.Query{Text: "ada", From: 99}, nil},
		{host.Query{To: 4}, []host.ID{4, 3, 2, 1}},
	} {
		if got := search(t, x, c.q); !slices.Equal(got, c.want) {
			t.Errorf("Search(%+v) = %v, want %v", c.q, got, c.want)
		}
	}
	if _, _, err := x.Search(t.Context(), "nobody", host.Query{}, nil); !errors.Is(err, host.ErrUnknownGroup) {
		t.Errorf("Search of an unknown group = %v", err)
	}
}

func TestSearchInSteps(t *testing.T) {
	x := openExchange(t, nil)
	var lines strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&lines, "\"number %d\"\n", i+1)
	}
	addText(t, x, "plain", lines.String())
	var steps []uint64
	note := func(looked, total uint64) {
		if total != 2000 {
			t.Errorf("%d messages are to be looked at, want 2000", total)
		}
		steps = append(steps, looked)
	}
	if found, more, err := x.Search(t.Context(), "plain", host.Query{Text: "NUMBER 7"}, note); err != nil || more != 0 || len(found) != 111 {
		t.Errorf("Search = %d messages, %d, %v, want 111", len(found), more, err)
	}
	if len(steps) < 3 || steps[len(steps)-1] != 2000 || !slices.IsSorted(steps) {
		t.Errorf("the progress was %v", steps)
	}
	if found, more, err := x.Search(t.Context(), "plain", host.Query{Text: "number"}, nil); err != nil || len(found) != host.DefaultFound || more != 1000 {
		t.Errorf("Search = %d messages, %d, %v, want %d", len(found), more, err, host.DefaultFound)
	}
	ctx, stop := context.WithCancel(t.Context())
	found, more, err := x.Search(ctx, "plain", host.Query{Text: "number 1999"}, func(uint64, uint64) { stop() })
	if err != nil || len(found) != 1 || more == 0 {
		t.Fatalf("Search that is called off = %v, %d, %v", found, more, err)
	}
	if rest := search(t, x, host.Query{Text: "number 1", To: more}); len(rest) < 100 || rest[len(rest)-1] != 1 {
		t.Errorf("going on from %d finds %v", more, rest)
	}
}

// FuzzSearch has the decoder of encoding/json say what a string contains.
func FuzzSearch(f *testing.F) {
	f.Add("Zo\u00eb \\ \"x\" \U0001f600", 2, 5)
	f.Fuzz(func(t *testing.T, text string, from, to int) {
		text = strings.ToValidUTF8(text, "")
		if from < 0 || to > len(text) || from >= to || strings.ToValidUTF8(text[from:to], "") != text[from:to] {
			return
		}
		var escaped bytes.Buffer
		for _, r := range text {
			quoted, _ := json.Marshal(string(r))
			if r > 0xFFFF {
				r -= 0x10000
				fmt.Fprintf(&escaped, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
			} else if r > 127 {
				fmt.Fprintf(&escaped, `\u%04X`, r)
			} else {
				escaped.Write(quoted[1 : len(quoted)-1])
			}
		}
		if !host.Contains(escaped.Bytes(), asciiUpper(text[from:to])) {
			t.Errorf("%q is not found in %s", text[from:to], escaped.Bytes())
		}
	})
}

func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}
