package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/restante/restante/host"
)

// clock is a time that tests move. It is safe for concurrent use.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: haploTime.Truncate(time.Hour)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// failingStore fails where it is told to.
type failingStore struct {
	host.Store
	put, appending, deleting error
}

func (s *failingStore) PutRecord(ctx context.Context, bucket string, r host.Record) (uint64, error) {
	if s.put != nil {
		return 0, s.put
	}
	return s.Store.PutRecord(ctx, bucket, r)
}

func (s *failingStore) DeleteRecord(ctx context.Context, bucket string, r host.Record) error {
	if s.deleting != nil {
		return s.deleting
	}
	return s.Store.DeleteRecord(ctx, bucket, r)
}

func (s *failingStore) AppendEntry(ctx context.Context, journal string, e host.Entry, once bool) (uint64, error) {
	if s.appending != nil {
		return 0, s.appending
	}
	return s.Store.AppendEntry(ctx, journal, e, once)
}

var errBroken = errors.New("broken for the test")

func raise(t testing.TB, i *host.Inbox, r host.ErrorReport) {
	t.Helper()
	if err := i.Raise(t.Context(), r); err != nil {
		t.Fatalf("Raise(%+v) = %v", r, err)
	}
}

func openReports(t testing.TB, i *host.Inbox) []host.ErrorReport {
	t.Helper()
	all, err := i.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// onlyReport returns the one report that is open.
func onlyReport(t testing.TB, i *host.Inbox) host.ErrorReport {
	t.Helper()
	all := openReports(t, i)
	if len(all) != 1 {
		t.Fatalf("open are %+v, want one report", all)
	}
	return all[0]
}

func doneReports(t testing.TB, i *host.Inbox) []host.ListedReport {
	t.Helper()
	all, err := i.Done(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func acknowledge(t testing.TB, i *host.Inbox, id string) host.ErrorReport {
	t.Helper()
	r, err := i.Acknowledge(t.Context(), id, "ann")
	if err != nil {
		t.Fatalf("Acknowledge(%s) = %v", id, err)
	}
	return r
}

func TestInboxOfWhatHappens(t *testing.T) {
	c := newClock()
	store := openStoreAt(t, c.Now)
	inbox := host.NewInbox(store, c.Now)
	start := c.Now()
	held := host.ErrorReport{Kind: host.ErrorHeld, Group: "student", Title: "message 1 was held", Messages: []host.Rejection{{ID: 1, Reason: "no name"}}}
	raise(t, inbox, held)
	c.move(10 * time.Second)
	held.Title, held.Messages = "message 2 was held", []host.Rejection{{ID: 2, Reason: "no name"}, {ID: 1, Reason: "no date"}}
	raise(t, inbox, held)
	raise(t, inbox, host.ErrorReport{Kind: host.ErrorHeld, Group: "plain", Title: "another"})

	// What was only counted is seen here, and elsewhere after a flush.
	elsewhere := host.NewInbox(store, c.Now)
	if all := openReports(t, elsewhere); len(all) != 2 || all[1].Times != 1 {
		t.Errorf("before a flush another daemon sees %+v", all)
	}
	for range 2 {
		if err := inbox.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := elsewhere.Report(t.Context(), openReports(t, inbox)[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Group == "plain" {
		got = openReports(t, elsewhere)[0]
	}
	if got.Times != 2 || !got.First.Equal(start) || !got.Last.Equal(start.Add(10*time.Second)) || got.Title != held.Title || got.Lasting ||
		!slices.Equal(got.Messages, []host.Rejection{{ID: 2, Reason: "no name"}, {ID: 1, Reason: "no date"}}) {
		t.Errorf("the report is %+v", got)
	}

	// Acknowledged it is done with, and what happens next is another report.
	if r := acknowledge(t, elsewhere, got.ID); r.AcknowledgedBy != "ann" || !r.Acknowledged.Equal(c.Now()) {
		t.Errorf("acknowledged it is %+v", r)
	}
	again := acknowledge(t, inbox, got.ID)
	if again.AcknowledgedBy != "ann" || len(openReports(t, inbox)) != 1 {
		t.Errorf("acknowledged again it is %+v", again)
	}
	raise(t, inbox, held) // within a minute: only counted here
	if err := inbox.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := openReports(t, elsewhere); len(all) != 2 || all[0].ID == got.ID || all[0].Times != 1 {
		t.Errorf("after it happened again open are %+v", all)
	}
	if _, err := inbox.Reopen(t.Context(), got.ID); !errors.Is(err, host.ErrConflict) {
		t.Errorf("Reopen beside a newer one = %v", err)
	}
	for _, missing := range []string{"none", "", "a\x00b"} {
		_, ackErr := inbox.Acknowledge(t.Context(), missing, "ann")
		_, reopenErr := inbox.Reopen(t.Context(), missing)
		if !errors.Is(ackErr, host.ErrNoRecord) || !errors.Is(reopenErr, host.ErrNoRecord) {
			t.Errorf("Acknowledge and Reopen of %q = %v, %v", missing, ackErr, reopenErr)
		}
	}
}

func TestInboxOfWhatLasts(t *testing.T) {
	c := newClock()
	store := openStoreAt(t, c.Now)
	inbox := host.NewInbox(store, c.Now)
	waiting := host.ErrorReport{Kind: host.ErrorWaiting, Group: "student", Title: "it waits"}
	end := func() {
		t.Helper()
		if err := inbox.End(t.Context(), host.ErrorWaiting, "student", ""); err != nil {
			t.Fatal(err)
		}
	}
	end()
	if len(openReports(t, inbox))+len(doneReports(t, inbox)) != 0 {
		t.Error("the end of nothing is a report")
	}

	// Nobody has seen it, and it is over.
	raise(t, inbox, waiting)
	first := onlyReport(t, inbox)
	raise(t, inbox, waiting)
	end()
	end()
	if done := doneReports(t, inbox); len(done) != 1 || done[0].ID != first.ID || done[0].Times != 2 || done[0].Ended.IsZero() || len(openReports(t, inbox)) != 0 {
		t.Fatalf("done with are %+v", done)
	}

	// Somebody has seen it: it counts on, and is done with when it is over.
	raise(t, inbox, waiting)
	second := onlyReport(t, inbox)
	acknowledge(t, inbox, second.ID)
	c.move(2 * time.Minute)
	raise(t, inbox, waiting)
	if r := onlyReport(t, inbox); r.ID != second.ID || r.Times != 2 || r.Unacknowledged() {
		t.Errorf("it lasts on as %+v", r)
	}
	end()
	if done := doneReports(t, inbox); len(done) != 2 || done[0].ID != second.ID || done[0].Unacknowledged() {
		t.Errorf("done with are %+v", done)
	}

	// Reopened it stays until somebody has seen it, whether it is over or not.
	if r, err := inbox.Reopen(t.Context(), second.ID); err != nil || !r.Unacknowledged() || r.Ended.IsZero() {
		t.Errorf("Reopen = %+v, %v", r, err)
	}
	raise(t, inbox, waiting)
	if r := onlyReport(t, inbox); r.ID != second.ID || !r.Ended.IsZero() || r.Times != 3 {
		t.Errorf("wrong again it is %+v", r)
	}
	end()
	if r := onlyReport(t, inbox); r.Ended.IsZero() {
		t.Errorf("over again it is %+v", r)
	}
	if done := doneReports(t, inbox); len(done) != 1 {
		t.Errorf("while it is reopened done with are %+v", done)
	}
	acknowledge(t, inbox, second.ID)
	if done := doneReports(t, inbox); len(done) != 2 || done[0].ID != second.ID || done[0].Times != 3 || len(openReports(t, inbox)) != 0 {
		t.Errorf("done with are %+v", done)
	}

	// Another daemon has seen its end: what was counted before is no news.
	raise(t, inbox, waiting)
	raise(t, inbox, waiting)
	if err := host.NewInbox(store, c.Now).End(t.Context(), host.ErrorWaiting, "student", ""); err != nil {
		t.Fatal(err)
	}
	if err := inbox.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := openReports(t, inbox); len(all) != 0 {
		t.Errorf("after the end open are %+v", all)
	}
	raise(t, inbox, waiting)
	if r := onlyReport(t, inbox); r.Times != 1 {
		t.Errorf("wrong again it is %+v", r)
	}
}

// TestInboxSurvivesCrashes ends between the two writes that are done with a
// report, and where nothing can be written.
func TestInboxSurvivesCrashes(t *testing.T) {
	c := newClock()
	store := &failingStore{Store: openStoreAt(t, c.Now)}
	inbox := host.NewInbox(store, c.Now)
	raise(t, inbox, host.ErrorReport{Kind: host.ErrorHeld, Group: "student", Title: "held"})
	id := onlyReport(t, inbox).ID
	store.deleting = errBroken
	if _, err := inbox.Acknowledge(t.Context(), id, "ann"); !errors.Is(err, errBroken) {
		t.Fatalf("Acknowledge = %v", err)
	}
	store.deleting = nil
	inbox = host.NewInbox(store, c.Now)
	if r := onlyReport(t, inbox); r.ID != id || !r.Unacknowledged() || len(doneReports(t, inbox)) != 0 {
		t.Errorf("after the crash open is %+v, done with %+v", r, doneReports(t, inbox))
	}
	acknowledge(t, inbox, id)
	if done := doneReports(t, inbox); len(done) != 1 || len(openReports(t, inbox)) != 0 {
		t.Errorf("acknowledged again done with are %+v", done)
	}

	// What can't be written is not forgotten, and nothing is counted twice.
	store.put = errBroken
	record := host.ErrorReport{Kind: host.ErrorRecord, Group: "student", Title: "not recorded"}
	for range 3 {
		if err := inbox.Raise(t.Context(), record); !errors.Is(err, errBroken) {
			t.Errorf("Raise = %v", err)
		}
	}
	if err := inbox.Flush(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Flush = %v", err)
	}
	store.put = nil
	if err := inbox.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := onlyReport(t, inbox); r.Times != 3 {
		t.Errorf("it is %+v, want three times", r)
	}
}

func TestReportsAreLimited(t *testing.T) {
	c := newClock()
	inbox := host.NewInbox(openStoreAt(t, c.Now), c.Now)
	odd := strings.Repeat("\x01<\xff", 5000)
	r := host.ErrorReport{Kind: host.ErrorHeld, Group: "student", Plugin: "a\xffb", Title: odd, Details: odd}
	for id := range 250 {
		r.Messages = append(r.Messages, host.Rejection{ID: host.ID(id + 1), Reason: odd})
	}
	raise(t, inbox, r)
	c.move(time.Hour)
	r.Messages = []host.Rejection{{ID: 200, Reason: "again"}}
	raise(t, inbox, r)
	got := onlyReport(t, inbox)
	if n := len(got.Messages); n != 100 || got.Messages[0].ID != 151 || got.Messages[n-1] != (host.Rejection{ID: 200, Reason: "again"}) {
		t.Errorf("it has %d messages, from %d to %+v", n, got.Messages[0].ID, got.Messages[n-1])
	}
	if len(got.Title) > 500 || len(got.Details) > 16<<10 || got.Plugin != "a\uFFFDb" {
		t.Errorf("it has %d bytes of title, %d of details, and the plugin %q", len(got.Title), len(got.Details), got.Plugin)
	}
	acknowledge(t, inbox, got.ID) // it fits into the journal
	if len(openReports(t, inbox)) != 0 {
		t.Error("it is still open")
	}
}

func TestInboxIsPruned(t *testing.T) {
	c := newClock()
	inbox := host.NewInbox(openStoreAt(t, c.Now), c.Now)
	for range 3 {
		raise(t, inbox, host.ErrorReport{Kind: host.ErrorHeld, Title: "held"})
		acknowledge(t, inbox, onlyReport(t, inbox).ID)
		c.move(time.Hour)
	}
	raise(t, inbox, host.ErrorReport{Kind: host.ErrorHeld, Title: "held"})
	if n, err := inbox.Prune(t.Context(), c.Now().Add(-90*time.Minute)); err != nil || n != 2 {
		t.Errorf("Prune = %d, %v", n, err)
	}
	if len(doneReports(t, inbox)) != 1 || len(openReports(t, inbox)) != 1 {
		t.Errorf("left are %+v and %+v", doneReports(t, inbox), openReports(t, inbox))
	}
}

// TestInboxTogether has many raise the same through two inboxes while it is
// acknowledged. Every time is in one report.
func TestInboxTogether(t *testing.T) {
	c := newClock()
	store := openStoreAt(t, c.Now)
	inboxes := []*host.Inbox{host.NewInbox(store, c.Now), host.NewInbox(store, c.Now)}
	const workers, times = 6, 30
	var raisers, rest sync.WaitGroup
	for w := range workers {
		raisers.Go(func() {
			for n := range times {
				r := host.ErrorReport{Kind: host.ErrorBatch, Group: host.GroupName(fmt.Sprint("g", n%2)), Title: "batch"}
				if err := inboxes[w%2].Raise(t.Context(), r); err != nil {
					t.Error(err)
				}
				c.move(9 * time.Second)
			}
		})
	}
	stop := make(chan struct{})
	rest.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			open, err := inboxes[0].Open(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range open {
				if _, err := inboxes[0].Acknowledge(t.Context(), r.ID, "ann"); err != nil {
					t.Error(err)
				}
			}
			if err := inboxes[1].Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	raisers.Wait()
	close(stop)
	rest.Wait()
	sum := uint64(0)
	for _, i := range inboxes {
		if err := i.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range openReports(t, inboxes[0]) {
		sum += r.Times
	}
	for _, r := range doneReports(t, inboxes[0]) {
		sum += r.Times
	}
	if sum != workers*times {
		t.Errorf("the reports count %d, want %d", sum, workers*times)
	}
}

// modelReport is what a report must be.
type modelReport struct {
	id                     string
	subject                host.ErrorReport
	times                  uint64
	acked, ended, reopened bool
}

func (m *modelReport) done() bool {
	if m.subject.Kind.Lasting() {
		return m.ended && (m.acked || !m.reopened)
	}
	return m.acked
}

// inboxModel is the plainest inbox that could be right.
type inboxModel struct {
	open []*modelReport
	done []*modelReport // the newest last
}

func (m *inboxModel) of(s host.ErrorReport) *modelReport {
	for _, r := range m.open {
		if r.subject.Kind == s.Kind && r.subject.Group == s.Group {
			return r
		}
	}
	return nil
}

// settle moves what is done with.
func (m *inboxModel) settle() {
	m.open = slices.DeleteFunc(m.open, func(r *modelReport) bool {
		if r.done() {
			m.done = append(m.done, r)
		}
		return r.done()
	})
}

// TestInboxModel does random things to two inboxes of one store and to a model.
func TestInboxModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newClock()
		store := &failingStore{Store: openStoreAt(t, c.Now)}
		inboxes := []*host.Inbox{host.NewInbox(store, c.Now), host.NewInbox(store, c.Now)}
		m := &inboxModel{}
		now := 0 // the inbox that is in use
		subject := func(r *rapid.T) host.ErrorReport {
			return host.ErrorReport{
				Kind:  rapid.SampledFrom([]host.ErrorKind{host.ErrorWaiting, host.ErrorHeld}).Draw(r, "kind"),
				Group: host.GroupName(rapid.SampledFrom([]string{"a", "b"}).Draw(r, "group")), Title: "t",
			}
		}
		anyReport := func(r *rapid.T) *modelReport {
			all := append(slices.Clone(m.open), m.done...)
			if len(all) == 0 {
				r.Skip("there is no report")
			}
			return rapid.SampledFrom(all).Draw(r, "report")
		}
		rt.Repeat(map[string]func(*rapid.T){
			"raise": func(r *rapid.T) {
				s := subject(r)
				if err := inboxes[now].Raise(t.Context(), s); err != nil {
					r.Fatal(err)
				}
				known := m.of(s)
				if known == nil {
					known = &modelReport{subject: s}
					m.open = append(m.open, known)
				}
				known.times++
				known.ended = false
			},
			"end": func(r *rapid.T) {
				s := subject(r)
				if err := inboxes[now].End(t.Context(), s.Kind, s.Group, ""); err != nil {
					r.Fatal(err)
				}
				if known := m.of(s); known != nil && s.Kind.Lasting() {
					known.ended = true
				}
				m.settle()
			},
			"acknowledge": func(r *rapid.T) {
				known := anyReport(r)
				if known.id == "" {
					r.Skip("it was not looked at yet")
				}
				open := slices.Contains(m.open, known)
				if open && rapid.Bool().Draw(r, "crash") {
					store.deleting = errBroken
					_, err := inboxes[now].Acknowledge(t.Context(), known.id, "ann")
					if store.deleting = nil; err != nil {
						return // as if nothing had been done
					}
				} else if _, err := inboxes[now].Acknowledge(t.Context(), known.id, "ann"); err != nil {
					r.Fatal(err)
				}
				if open {
					known.acked = true
				}
				m.settle()
			},
			"reopen": func(r *rapid.T) {
				known := anyReport(r)
				if known.id == "" {
					r.Skip("it was not looked at yet")
				}
				_, err := inboxes[now].Reopen(t.Context(), known.id)
				if other := m.of(known.subject); other != nil && other != known {
					if !errors.Is(err, host.ErrConflict) {
						r.Fatalf("Reopen beside another = %v", err)
					}
					return
				}
				if err != nil {
					r.Fatal(err)
				}
				if at := slices.Index(m.done, known); at >= 0 {
					m.done = slices.Delete(m.done, at, at+1)
					m.open = append(m.open, known)
				}
				known.acked, known.reopened = false, true
			},
			"wait": func(r *rapid.T) { c.move(time.Duration(rapid.IntRange(1, 100).Draw(r, "seconds")) * time.Second) },
			"flush": func(r *rapid.T) {
				if err := inboxes[now].Flush(t.Context()); err != nil {
					r.Fatal(err)
				}
			},
			"other inbox": func(r *rapid.T) {
				if err := inboxes[now].Flush(t.Context()); err != nil {
					r.Fatal(err)
				}
				now = 1 - now
				if rapid.Bool().Draw(r, "restart") {
					inboxes[now] = host.NewInbox(store, c.Now)
				}
				c.move(time.Minute)
			},
			"": func(r *rapid.T) { m.compare(t, r, inboxes[now]) },
		})
	})
}

func (m *inboxModel) compare(t *testing.T, r *rapid.T, inbox *host.Inbox) {
	open, err := inbox.Open(t.Context())
	if err != nil || len(open) != len(m.open) {
		r.Fatalf("Open = %+v, %v, want %d reports", open, err, len(m.open))
	}
	for _, got := range open {
		want := m.of(got)
		if want == nil {
			r.Fatalf("open is %+v", got)
		}
		if want.id == "" {
			want.id = got.ID
		}
		if got.ID != want.id || got.Times != want.times || got.Unacknowledged() == want.acked || got.Ended.IsZero() == want.ended {
			r.Fatalf("open is %+v, want %+v", got, want)
		}
	}
	limit, before, at := rapid.IntRange(1, 4).Draw(r, "limit"), uint64(0), len(m.done)
	for {
		page, err := inbox.Done(t.Context(), before, limit)
		if err != nil {
			r.Fatal(err)
		}
		for _, got := range page {
			if before = got.Number; at == 0 || got.ID != m.done[at-1].id || got.Times != m.done[at-1].times {
				r.Fatalf("done with is %+v, want %+v", got, m.done[:at])
			}
			at--
		}
		if len(page) < limit {
			break
		}
	}
	if at != 0 {
		r.Fatalf("%d more are done with", at)
	}
}
