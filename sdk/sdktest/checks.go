package sdktest

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/restante/restante/sdk"
)

// write formats a batch and fails the test on any error.
func (r *run) write(t *testing.T, b sdk.Batch) sdk.Document {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	d, err := r.client.WriteMessages(ctx, b)
	if err != nil {
		t.Fatalf("WriteMessages of %d messages: %v", len(b.Messages), err)
	}
	return d
}

// valid checks what is true of every document, and then what the author wants.
func (r *run) valid(t *testing.T, b sdk.Batch, d sdk.Document) {
	t.Helper()
	media, _, err := mime.ParseMediaType(d.ContentType)
	if err != nil || !strings.Contains(media, "/") {
		t.Errorf("the content type %q is not valid (%v)", d.ContentType, err)
	}
	if strings.ContainsAny(d.Filename, `/\`) {
		t.Errorf("the file name %q has a slash in it", d.Filename)
	}
	if r.options.Check != nil {
		r.options.Check(t, b, d)
	}
}

// batch returns the test of a batch that must be formatted.
func (r *run) batch(data ...json.RawMessage) func(*testing.T) {
	return func(t *testing.T) {
		b := Batch(r.group.Name, data...)
		r.valid(t, b, r.write(t, b))
	}
}

// golden compares documents with files.
func (r *run) golden(t *testing.T) {
	for name, data := range map[string][]json.RawMessage{
		"empty":   nil,
		"one":     r.samples[:1],
		"samples": r.samples,
	} {
		d := r.write(t, Batch(r.group.Name, data...))
		compareGolden(t, r.options.Golden, r.group.Name+"-"+name, d)
	}
}

// unicode formats all variants at once, without those that the formatter
// rejects: what the daemon does for a group that holds messages at fault.
func (r *run) unicode(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	b := Batch(r.group.Name, unicodeVariants(r.samples)...)
	for {
		d, err := r.client.WriteMessages(ctx, b)
		if err == nil {
			r.valid(t, b, d)
			return
		}
		rejected := make(map[uint64]bool)
		for _, rejection := range sdk.Rejections(err) {
			rejected[rejection.ID] = true
		}
		if len(rejected) == 0 {
			t.Fatalf("WriteMessages of unusual text must give a document or sdk.Reject: %v", err)
		}
		b.Messages = slices.DeleteFunc(b.Messages, func(m sdk.Message) bool { return rejected[m.ID] })
	}
}

// deterministic compares repeated runs. The last one is in another second than
// the first, to show a time of day in the document.
func (r *run) deterministic(t *testing.T) {
	b := Batch(r.group.Name, r.samples...)
	first := r.write(t, b)
	written := time.Now()
	for i := range repeats {
		if i == repeats-1 && !testing.Short() {
			timer := time.NewTimer(time.Until(written.Add(time.Second + 100*time.Millisecond)))
			select {
			case <-timer.C:
			case <-t.Context().Done():
			}
		}
		if !same(t, r.write(t, b), first) {
			t.Fatalf("run %d of the same batch gave another document than the first: the formatter uses the time, "+
				"the order of a map, or other things that are not in the batch", i+2)
		}
	}
}

// concurrent formats two batches in several goroutines.
func (r *run) concurrent(t *testing.T) {
	const goroutines, calls = 8, 4
	batches := []sdk.Batch{
		Batch(r.group.Name, r.samples[0]),
		Batch(r.group.Name, r.samples...),
	}
	want := []sdk.Document{r.write(t, batches[0]), r.write(t, batches[1])}

	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			for j := range calls {
				which := (i + j) % len(batches)
				got, err := r.client.WriteMessages(t.Context(), batches[which])
				if err != nil {
					t.Errorf("WriteMessages, with others at the same time: %v", err)
					return
				}
				if !same(t, got, want[which]) {
					t.Error("a call gave another document when others ran at the same time")
					return
				}
			}
		})
	}
	all.Wait()
}

// cancelled cancels one call before it begins and one while it runs.
func (r *run) cancelled(t *testing.T) {
	entered := make(chan struct{}, 1)
	observed := r.group
	observed.WriteMessages = func(ctx context.Context, b sdk.Batch) (sdk.Document, error) {
		select {
		case entered <- struct{}{}:
		default:
		}
		return r.group.WriteMessages(ctx, b)
	}
	p := r.plugin
	p.Groups = []sdk.Group{observed}
	c := start(t, p, r.options.Settings)
	b := Batch(r.group.Name, r.many()...)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.WriteMessages(ctx, b); status.Code(err) != codes.Canceled {
		t.Errorf("WriteMessages with a cancelled context: %v, want the status Canceled", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, err := c.WriteMessages(ctx, b)
		result <- err
	}()
	select {
	case <-entered:
	case <-time.After(callTimeout):
		t.Fatal("the formatter was not called")
	}
	cancel()
	const prompt = 5 * time.Second
	select {
	case err := <-result:
		// A fast formatter may have finished before it was cancelled.
		if err != nil && status.Code(err) != codes.Canceled {
			t.Errorf("WriteMessages, cancelled while it ran: %v, want the status Canceled", err)
		}
	case <-time.After(prompt):
		t.Fatalf("WriteMessages did not return within %v of being cancelled", prompt)
	}

	if _, err := c.WriteMessages(t.Context(), Batch(r.group.Name, r.samples[0])); err != nil {
		t.Errorf("WriteMessages after a cancelled call: %v", err)
	}
}

// httpRequest tests FormatHTTPRequest.
func (r *run) httpRequest(t *testing.T) {
	o := sdk.Outgoing{
		Batch:    Batch(r.group.Name, r.samples...),
		Document: sdk.Document{ContentType: "application/json", Filename: r.group.Name + ".json", Body: []byte("{}")},
	}
	if r.group.WriteMessages != nil {
		o.Document = r.write(t, o.Batch)
	}
	first, err := r.client.FormatHTTPRequest(t.Context(), o)
	if err != nil {
		t.Fatalf("FormatHTTPRequest: %v", err)
	}
	for range repeats {
		again, err := r.client.FormatHTTPRequest(t.Context(), o)
		if err != nil {
			t.Fatalf("FormatHTTPRequest, repeated: %v", err)
		}
		if !reflect.DeepEqual(again, first) {
			t.Fatalf("FormatHTTPRequest gave two answers for the same batch:\n%+v\n%+v", first, again)
		}
	}
}

// same reports whether two documents are equal, and how they differ.
func same(t *testing.T, got, want sdk.Document) bool {
	t.Helper()
	if got.ContentType != want.ContentType || got.Filename != want.Filename {
		t.Errorf("content type and file name: %q, %q, want %q, %q",
			got.ContentType, got.Filename, want.ContentType, want.Filename)
		return false
	}
	if !bytes.Equal(got.Body, want.Body) {
		t.Error(difference(got.Body, want.Body))
		return false
	}
	return true
}
