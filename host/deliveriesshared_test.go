package host_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// lateStore writes deliveries when it is told to.
type lateStore struct {
	*sharedStore
	write chan struct{}
}

func (s lateStore) AppendEntries(ctx context.Context, entries ...host.JournalEntry) error {
	if strings.HasPrefix(entries[len(entries)-1].Journal, "deliveries/") {
		<-s.write
	}
	return s.sharedStore.AppendEntries(ctx, entries...)
}

// What one daemon hands out is marked on another before its delivery is recorded.
func TestMarkBeforeTheDelivery(t *testing.T) {
	late := lateStore{newSharedStore(t), make(chan struct{})}
	ahead := func() time.Time { return time.Now().Add(time.Second) }
	version := "1"
	daemon := func(store host.Store, now func() time.Time) *host.Exchange {
		x := openExchangeOn(t, store, func(b host.Batch) (host.Document, error) {
			return host.Document{ContentType: "text/plain", Body: fmt.Append(nil, b.Token, version)}, nil
		})
		x.Deliveries = host.NewDeliveries(store, now, func(d host.Delivery, err error) { t.Errorf("delivery %s: %v", d.ID, err) })
		return x
	}
	a, b := daemon(late, ahead), daemon(late.sharedStore, time.Now)
	addText(t, a, "student", "1\n2\n")
	fetch := func(x *host.Exchange) host.Fetched {
		t.Helper()
		f, err := x.Fetch(t.Context(), "student", 16, host.Caller{})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := fetch(a)
	rejected := []host.Rejection{{ID: 2, Reason: "no"}}
	if _, err := b.Mark(t.Context(), "student", f.Token, rejected, host.Caller{Key: "k"}); err != nil {
		t.Fatal(err)
	}
	close(late.write)
	all := deliveries(t, a, "student")
	if len(all) != 1 || all[0].Marked.IsZero() || all[0].MarkedBy.Key != "k" || len(all[0].Rejections) != 1 {
		t.Errorf("the deliveries are %+v", all)
	}

	// What is handed out after the mark is not marked.
	if _, _, err := b.MakeUnread(t.Context(), "student", host.NewRanges(1, 2)); err != nil {
		t.Fatal(err)
	}
	version = "2"
	fetch(b)
	if all := deliveries(t, b, "student"); len(all) != 2 || !all[0].Marked.IsZero() || len(all[0].Rejections) != 0 {
		t.Errorf("the deliveries are %+v", all)
	}
}
