package host_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// openSending returns an exchange with a group "letters" that a plugin sends, whose
// documents name the plugin's version.
func openSending(t *testing.T, version *string) *host.Exchange {
	x := openExchange(t, func(b host.Batch) (host.Document, error) {
		return host.Document{ContentType: "text/plain", Body: []byte(*version + " " + string(b.Token))}, nil
	})
	letters := host.Queue{Group: "letters", Method: host.Send, Plugin: "records", Formats: true, FormatsRequest: true}
	if err := x.Queues.Declare(t.Context(), letters, nil); err != nil {
		t.Fatal(err)
	}
	x.Deliveries = host.NewDeliveries(x.Store, time.Now, nil)
	return x
}

func outgoing(f host.Fetched) host.Outgoing {
	return host.Outgoing{Delivery: f.Delivery, Key: f.Delivery, Token: f.Token, IDs: f.IDs.String(), Count: f.IDs.Count(), Request: f.Request}
}

func TestTakeAndSent(t *testing.T) {
	version := "1"
	x := openSending(t, &version)
	ctx := t.Context()
	addText(t, x, "letters", strings.Repeat("{\"a\":1}\n", 5))
	f, err := x.Take(ctx, "letters", 3, host.MaxBatchBytes, "https://receiver.example")
	if err != nil || f.IDs.String() != "1-3" || f.Unread != 5 {
		t.Fatalf("Take = %+v, %v", f, err)
	}
	if want := (host.HTTPRequest{Method: "PUT", URL: "?of=1-3", Headers: []host.HTTPHeader{{Name: "X-Type", Value: "text/plain"}}}); !reflect.DeepEqual(f.Request, want) {
		t.Errorf("the request is %+v, want %+v", f.Request, want)
	}
	d, err := x.Deliveries.Delivery(ctx, "letters", f.Delivery)
	if err != nil || d.By.Address != "https://receiver.example" || !d.Marked.IsZero() {
		t.Errorf("the delivery is %+v, %v", d, err)
	}
	if small, err := x.Take(ctx, "letters", 3, 8, ""); err != nil || small.IDs.String() != "1" {
		t.Errorf("Take of 8 bytes = %s, %v", small.IDs, err)
	}

	// Another version of the plugin changes nothing of what is on its way.
	version = "2"
	again, err := x.TakeAgain(ctx, "letters", outgoing(f))
	if err != nil || again == nil || string(again.Document.Body) != string(f.Document.Body) || again.Document.ContentType != "text/plain" || !reflect.DeepEqual(again.Request, f.Request) {
		t.Fatalf("TakeAgain = %+v, %v, want %+v", again, err, f)
	}
	for range 2 {
		if _, err := x.Sent(ctx, "letters", outgoing(f), "https://receiver.example"); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := x.Deliveries.Delivery(ctx, "letters", f.Delivery); err != nil || d.Marked.IsZero() || d.MarkedBy.Address != "https://receiver.example" {
		t.Errorf("after Sent the delivery is %+v, %v", d, err)
	}
	if again, err := x.TakeAgain(ctx, "letters", outgoing(f)); again != nil || err != nil {
		t.Errorf("TakeAgain of what was sent = %+v, %v", again, err)
	}

	// A batch that somebody has changed is not sent again.
	f, err = x.Take(ctx, "letters", 3, host.MaxBatchBytes, "")
	if err != nil || f.IDs.String() != "4-5" {
		t.Fatalf("Take = %+v, %v", f.IDs, err)
	}
	if _, _, err := x.Hold(ctx, "letters", host.NewRanges(4)); err != nil {
		t.Fatal(err)
	}
	if again, err := x.TakeAgain(ctx, "letters", outgoing(f)); again != nil || err != nil {
		t.Errorf("TakeAgain with a message held = %+v, %v", again, err)
	}
}

func TestSample(t *testing.T) {
	version := "1"
	x := openSending(t, &version)
	addText(t, x, "letters", `1`)
	f, err := x.Sample(t.Context(), "letters", 10, host.MaxBatchBytes)
	if err != nil || string(f.Document.Body) != "1 preview" || f.Request.Method != "PUT" {
		t.Errorf("Sample = %+v, %v", f, err)
	}
	if all, err := x.Deliveries.List(t.Context(), "letters", 0, 10); err != nil || len(all) != 0 {
		t.Errorf("Sample left %d deliveries, %v", len(all), err)
	}
}

func TestSendingIsForSendQueues(t *testing.T) {
	x := openExchange(t, nil)
	for g, want := range map[host.GroupName]error{"plain": host.ErrNotSent, "nobody": host.ErrUnknownGroup} {
		if _, err := x.Take(t.Context(), g, 1, 1, ""); !errors.Is(err, want) {
			t.Errorf("Take(%s) = %v, want %v", g, err, want)
		}
		if _, err := x.Sample(t.Context(), g, 1, 1); !errors.Is(err, want) {
			t.Errorf("Sample(%s) = %v, want %v", g, err, want)
		}
	}
}

func TestOutbox(t *testing.T) {
	s := openStore(t)
	o := host.NewOutbox(s)
	ctx := t.Context()
	zero, err := o.Sending(ctx, "letters")
	if err != nil || zero.Group != "letters" || zero.Batch != nil {
		t.Fatalf("Sending = %+v, %v", zero, err)
	}
	mine := zero.Clone()
	mine.Batch = &host.Outgoing{Delivery: "d", Attempts: 1}
	if mine, err = o.Put(ctx, mine); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Put(ctx, zero); !errors.Is(err, host.ErrConflict) {
		t.Errorf("Put of what was read before = %v, want %v", err, host.ErrConflict)
	}
	next := mine.Clone()
	next.Batch.Attempts = 2
	if mine.Batch.Attempts != 1 {
		t.Error("a clone shares its batch")
	}
	if next, err = o.Put(ctx, next); err != nil {
		t.Fatal(err)
	}
	if got, err := o.Sending(ctx, "letters"); err != nil || !reflect.DeepEqual(got, next) {
		t.Errorf("Sending = %+v, %v, want %+v", got, err, next)
	}
	for n := range 3 {
		a := host.Attempt{Delivery: "d", Number: n + 1, Answer: strings.Repeat("ü", 4000), Outcome: host.AttemptFailed}
		if err := o.Record(ctx, "letters", a); err != nil {
			t.Fatal(err)
		}
	}
	all, err := o.Attempts(ctx, "letters", "d")
	if err != nil || len(all) != 3 || all[0].Number != 1 || len(all[0].Answer) > 2<<10 {
		t.Errorf("Attempts = %+v, %v", all, err)
	}
	if last, err := o.Latest(ctx, "letters", 2); err != nil || len(last) != 2 || last[0].Number != 3 {
		t.Errorf("Latest = %+v, %v", last, err)
	}
	if n, err := o.Prune(ctx, "letters", time.Now().Add(time.Hour)); err != nil || n != 3 {
		t.Errorf("Prune = %d, %v", n, err)
	}
}
