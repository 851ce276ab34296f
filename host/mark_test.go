package host_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/restante/restante/host"
)

func reject(ids ...host.ID) (all []host.Rejection) {
	for _, id := range ids {
		all = append(all, host.Rejection{ID: id, Reason: fmt.Sprintf("no use for %d", id)})
	}
	return all
}

func statuses(t *testing.T, x *host.Exchange, g host.GroupName) (text string) {
	t.Helper()
	all, err := x.Store.List(t.Context(), g, 0, host.MaxFetch)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		text = m.Status.String()[:1] + text
	}
	return text
}

// TestRejectionsOfReceivers marks a batch but for some of its messages, again and
// again, and rejects what is read already.
func TestRejectionsOfReceivers(t *testing.T) {
	for _, recorded := range []bool{true, false} {
		t.Run(fmt.Sprint("recorded: ", recorded), func(t *testing.T) {
			x, _ := recording(t, nil)
			if !recorded {
				x.Deliveries = nil
			}
			var told []host.Refusal
			x.Refused = func(r host.Refusal) { told = append(told, r) }
			addText(t, x, "plain", strings.Repeat("1\n", 6))
			f := fetch(t, x, "plain", 5)
			by := host.Caller{Key: "k"}
			mark := func(want host.Marked, after string, rejections ...host.Rejection) {
				t.Helper()
				if got, err := x.Mark(t.Context(), "plain", f.Token, rejections, by); err != nil || got != want {
					t.Errorf("Mark = %+v, %v, want %+v", got, err, want)
				}
				expect(t, "the messages", statuses(t, x, "plain"), after)
			}
			for i := range 3 {
				mark(host.Marked{Marked: uint64(3 * max(0, 1-i)), Unread: 1, Rejected: 2}, "rhrhru", reject(2, 4)...)
			}
			if want := (host.Refusal{Group: "plain", Batch: f.IDs, By: by, Rejections: reject(2, 4)}); len(told) != 1 || !reflect.DeepEqual(told[0], want) {
				t.Errorf("told: %+v, want %+v", told, want)
			}
			mark(host.Marked{Unread: 1, Rejected: 3}, "hhrhru", reject(4, 1, 2)...) // 1 was read
			mark(host.Marked{Unread: 1, Rejected: 5}, "hhhhhu", reject(1, 2, 3, 4, 5)...)
			if len(told) != 3 {
				t.Errorf("told: %+v", told)
			}
			if !recorded {
				return
			}
			d := deliveries(t, x, "plain")[0]
			if !reflect.DeepEqual(d.Rejections, reject(2, 4, 1, 3, 5)) || d.RejectedBy != by || d.Rejected.IsZero() || d.MarkedBy != by {
				t.Errorf("the delivery is %+v", d)
			}
		})
	}
}

func TestABatchIsRejectedWhole(t *testing.T) {
	x, _ := recording(t, nil)
	addText(t, x, "plain", strings.Repeat("1\n", host.MaxFetch))
	f := fetch(t, x, "plain", host.MaxFetch)
	var all []host.Rejection
	for id := range f.IDs.IDs() {
		// Each byte of the reason takes six in the record.
		all = append(all, host.Rejection{ID: id, Reason: strings.Repeat("<", host.MaxRejectionBytes)})
	}
	for range 2 {
		if got, err := x.Mark(t.Context(), "plain", f.Token, all, host.Caller{}); err != nil || got != (host.Marked{Rejected: host.MaxFetch}) {
			t.Errorf("Mark = %+v, %v", got, err)
		}
	}
	if d := deliveries(t, x, "plain")[0]; len(d.Rejections) != host.MaxFetch || !d.Marked.IsZero() {
		t.Errorf("the delivery has %d rejections, and was marked %v", len(d.Rejections), d.Marked)
	}
}

func TestBadRejectionsChangeNothing(t *testing.T) {
	x, _ := recording(t, nil)
	x.Refused = func(r host.Refusal) { t.Errorf("told: %+v", r) }
	addText(t, x, "plain", "1\n2\n3\n")
	token := fetch(t, x, "plain", 2).Token
	for name, all := range map[string][]host.Rejection{
		"not in the batch":    reject(1, 3),
		"no message":          reject(0),
		"far away":            reject(host.MaxID),
		"twice":               reject(1, 2, 1),
		"too many":            reject(make([]host.ID, host.MaxRejections+1)...),
		"too long":            {{ID: 1, Reason: strings.Repeat("x", host.MaxRejectionBytes+1)}},
		"no UTF-8":            {{ID: 1, Reason: "\xff"}},
		"two lines":           {{ID: 1, Reason: "a\nb"}},
		"a control character": {{ID: 1, Reason: "a\u0085b"}},
	} {
		if _, err := x.Mark(t.Context(), "plain", token, all, host.Caller{}); !errors.Is(err, host.ErrBadRejection) {
			t.Errorf("%s: Mark = %v, want ErrBadRejection", name, err)
		}
	}
	if _, err := x.Mark(t.Context(), "plain", token[1:], reject(1), host.Caller{}); !errors.Is(err, host.ErrBadToken) {
		t.Errorf("with a bad token: Mark = %v", err)
	}
	expect(t, "the messages", statuses(t, x, "plain"), "uuu")
	if d := deliveries(t, x, "plain")[0]; len(d.Rejections) > 0 {
		t.Errorf("the delivery is %+v", d)
	}
}
