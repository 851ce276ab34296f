package host_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func wantCarrying(t *testing.T, x *host.Exchange, id host.ID, limit int, want ...string) {
	t.Helper()
	all, err := x.Deliveries.Carrying(t.Context(), "plain", id, limit)
	var got []string
	for _, d := range all {
		got = append(got, d.ID)
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Carrying(%d, %d) = %q, %v, want %q", id, limit, got, err, want)
	}
}

func TestCarrying(t *testing.T) {
	x, move := recording(t, nil)
	addText(t, x, "plain", strings.Repeat("1\n", 5000))
	var read host.Ranges
	read.Add(host.Range{First: 1, Last: 4090})
	if _, _, err := x.Store.Move(t.Context(), "plain", read, host.Read); err != nil {
		t.Fatal(err)
	}
	get := func(limit int) string {
		t.Helper()
		f := fetch(t, x, "plain", limit)
		if err := x.Deliveries.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.Delivery
	}
	one, many := get(1), get(16) // 4091, and 4091 to 4106
	get(16)
	if _, _, err := x.Hold(t.Context(), "plain", host.NewRanges(4092)); err != nil {
		t.Fatal(err)
	}
	gap := get(2) // 4091 and 4093
	wantCarrying(t, x, 4090, 9)
	wantCarrying(t, x, 4091, 9, gap, many, one)
	wantCarrying(t, x, 4091, 2, gap, many)
	wantCarrying(t, x, 4092, 9, many)
	wantCarrying(t, x, 4093, 9, gap, many)
	wantCarrying(t, x, 4095, 9, many)
	wantCarrying(t, x, 4096, 9, many)
	wantCarrying(t, x, 4106, 9, many)
	wantCarrying(t, x, 4107, 9)
	all, err := x.Deliveries.Carrying(t.Context(), "plain", 4106, 1)
	if err != nil || len(all) != 1 || all[0].IDs != "4091-4106" || all[0].Number == 0 {
		t.Errorf("Carrying = %+v, %v", all, err)
	}

	// An index may name a delivery that was not recorded.
	lost := host.JournalEntry{Journal: "carried/plain", Entry: host.Entry{Key: "1", Value: []byte(`{"ids":"4096","delivery":"lost-1"}`)}}
	if err := x.Store.AppendEntries(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	wantCarrying(t, x, 4096, 9, many)

	move(11 * 366 * 24 * time.Hour)
	if _, _, err := x.Deliveries.Prune(t.Context(), "plain", host.Retention{}); err != nil {
		t.Fatal(err)
	}
	wantCarrying(t, x, 4096, 9)
	if left, err := x.Store.Entries(t.Context(), "carried/plain", 0, 9); err != nil || len(left) > 0 {
		t.Errorf("after pruning the index has %v, %v", left, err)
	}
}

// TestDeliveriesOfOneBatchInManyFormats lists a batch that was written in many ways,
// fetched and marked again and again.
func TestDeliveriesOfOneBatchInManyFormats(t *testing.T) {
	version := 0
	x, _ := recording(t, func(host.Batch) (host.Document, error) {
		return host.Document{ContentType: "text/plain", Body: fmt.Append(nil, version)}, nil
	})
	addText(t, x, "student", "1\n")
	var want []string
	for ; version < 300; version++ {
		f := fetch(t, x, "student", 1)
		want = append(want, f.Delivery)
	}
	slices.Reverse(want)
	var got []string
	for _, d := range deliveries(t, x, "student") {
		got = append(got, d.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d deliveries are listed, want %d", len(got), len(want))
	}
}
