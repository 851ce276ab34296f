package host_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// recording returns an exchange that records its deliveries, and a clock for them.
func recording(t *testing.T, f formatters) (x *host.Exchange, move func(time.Duration)) {
	t.Helper()
	x = openExchange(t, f)
	var mu sync.Mutex
	now := haploTime
	x.Deliveries = host.NewDeliveries(x.Store, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}, func(d host.Delivery, err error) { t.Errorf("delivery %s: %v", d.ID, err) })
	return x, func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
}

func deliveries(t *testing.T, x *host.Exchange, g host.GroupName) []host.ListedDelivery {
	t.Helper()
	if err := x.Deliveries.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := x.Deliveries.List(t.Context(), g, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDeliveries(t *testing.T) {
	version := "1"
	x, move := recording(t, func(b host.Batch) (host.Document, error) {
		body := fmt.Sprintf("%s: %d messages by %s", b.Token, len(b.Messages), version)
		return host.Document{ContentType: "text/plain", Filename: "f.txt", Body: []byte(body), Origin: host.Origin{Plugin: "records", Version: version, Digest: "ab"}}, nil
	})
	get := func(limit int, key string) host.Fetched {
		t.Helper()
		f, err := x.Fetch(t.Context(), "student", limit, host.Caller{Key: key, Address: "192.0.2.1:7"})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if get(16, "k1"); len(deliveries(t, x, "student")) != 0 {
		t.Error("an empty batch is recorded")
	}
	addText(t, x, "student", "1\n2\n3\n4\n")
	first := get(2, "k1")
	move(time.Minute)
	if again := get(2, "k2"); again.Delivery != first.Delivery {
		t.Errorf("the same bytes are the deliveries %s and %s", first.Delivery, again.Delivery)
	}
	version = "2"
	other := get(2, "k3")
	if other.Delivery == first.Delivery {
		t.Error("other bytes are the same delivery")
	}
	all := deliveries(t, x, "student")
	if len(all) != 2 || all[0].ID != other.Delivery || all[1].ID != first.Delivery {
		t.Fatalf("the deliveries are %+v", all)
	}
	d := all[1].Delivery
	want := host.Delivery{
		ID: first.Delivery, Group: "student", IDs: "1-2", Count: 2, SHA256: d.SHA256, Size: len(first.Document.Body),
		ContentType: "text/plain", Filename: "f.txt", Origin: host.Origin{Plugin: "records", Version: "1", Digest: "ab"},
		First: haploTime, Last: haploTime.Add(time.Minute), By: host.Caller{Key: "k2", Address: "192.0.2.1:7"}, Fetches: 2,
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("the delivery is\n%+v, want\n%+v", d, want)
	}

	// What is marked was recorded before.
	if m, err := x.Mark(t.Context(), "student", first.Token, nil, host.Caller{Key: "k4"}); err != nil || m.Marked != 2 {
		t.Fatalf("Mark = %+v, %v", m, err)
	}
	if _, err := x.Mark(t.Context(), "student", first.Token, nil, host.Caller{Key: "late"}); err != nil {
		t.Fatal(err)
	}
	for _, d := range deliveries(t, x, "student") {
		if d.Marked.IsZero() || d.MarkedBy.Key != "k4" {
			t.Errorf("the delivery %s is marked %v by %+v", d.ID, d.Marked, d.MarkedBy)
		}
	}

	// Another run of the daemon knows what was recorded, and the bytes.
	x.Deliveries = host.NewDeliveries(x.Store, time.Now, nil)
	d, err := x.Deliveries.Delivery(t.Context(), "student", first.Delivery)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := x.Deliveries.Body(t.Context(), d); err != nil || string(body) != string(first.Document.Body) {
		t.Errorf("Body = %q, %v", body, err)
	}
	if _, err := x.Deliveries.Delivery(t.Context(), "student", "none"); !errors.Is(err, host.ErrNoRecord) {
		t.Errorf("Delivery of none = %v", err)
	}
	rest := get(16, "k1")
	x.Deliveries = host.NewDeliveries(x.Store, time.Now, nil)
	if again := get(16, "k1"); again.Delivery != rest.Delivery {
		t.Errorf("after a restart the same bytes are %s, they were %s", again.Delivery, rest.Delivery)
	}
	if all := deliveries(t, x, "student"); len(all) != 3 || all[0].Fetches < 1 {
		t.Errorf("after a restart the deliveries are %+v", all)
	}
}

func TestDeliveriesAreListedInPages(t *testing.T) {
	x, _ := recording(t, nil)
	var want []string
	for range 25 {
		addText(t, x, "plain", "1\n")
		f := fetch(t, x, "plain", 1)
		want = append(want, f.Delivery)
		if _, err := x.Mark(t.Context(), "plain", f.Token, nil, host.Caller{}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Reverse(want)
	var got []string
	for before := uint64(0); ; {
		page, err := x.Deliveries.List(t.Context(), "plain", before, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			got = append(got, d.ID)
			before = d.Number
		}
		if len(page) < 7 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the pages have %q, want %q", got, want)
	}
}

func TestDeliveriesArePruned(t *testing.T) {
	x, move := recording(t, nil)
	addText(t, x, "plain", strings.Repeat("1\n", 40))
	f := fetch(t, x, "plain", 10)
	deliveries(t, x, "plain")
	// The store's clock stands still.
	move(401 * 24 * time.Hour)
	if entries, bodies, err := x.Deliveries.Prune(t.Context(), "plain", host.Retention{}); err != nil || entries != 0 || bodies != 1 {
		t.Errorf("Prune = %d, %d, %v", entries, bodies, err)
	}
	d, err := x.Deliveries.Delivery(t.Context(), "plain", f.Delivery)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Deliveries.Body(t.Context(), d); !errors.Is(err, host.ErrNoBody) {
		t.Errorf("Body = %v", err)
	}
	move(10 * 366 * 24 * time.Hour)
	if entries, _, err := x.Deliveries.Prune(t.Context(), "plain", host.Retention{}); err != nil || entries == 0 {
		t.Errorf("Prune = %d, %v", entries, err)
	}
	if all := deliveries(t, x, "plain"); len(all) != 0 {
		t.Errorf("the deliveries are %+v", all)
	}
}

// TestDeliveriesTogether has many fetch and mark the same and other batches.
func TestDeliveriesTogether(t *testing.T) {
	x, _ := recording(t, nil)
	addText(t, x, "plain", strings.Repeat("1\n", 400))
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			for {
				f, err := x.Fetch(t.Context(), "plain", 5+w, host.Caller{Key: fmt.Sprint(w)})
				if err != nil {
					t.Error(err)
					return
				}
				if f.IDs.Count() == 0 {
					return
				}
				if _, err := x.Mark(t.Context(), "plain", f.Token, nil, host.Caller{Key: fmt.Sprint(w)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	seen := map[string]bool{}
	var marked host.Ranges
	for _, d := range deliveries(t, x, "plain") {
		if seen[d.ID] {
			t.Errorf("the delivery %s is recorded twice", d.ID)
		}
		seen[d.ID] = true
		if !d.Marked.IsZero() {
			ids, err := host.ParseRanges(d.IDs)
			if err != nil {
				t.Fatal(err)
			}
			for id := range ids.IDs() {
				marked.Add(host.Range{First: id, Last: id})
			}
		}
	}
	if marked.String() != "1-400" {
		t.Errorf("the marked deliveries are of the messages %s", marked)
	}
}
