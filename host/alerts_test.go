package host_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// watched is a daemon as alerts see it.
type watched struct {
	*clock
	t       testing.TB
	x       *host.Exchange
	store   *failingStore
	limits  host.AlertLimits
	plugins []host.PluginStatus
	free    uint64
	diskErr error

	inbox  *host.Inbox
	alerts *host.Alerts
}

// newWatched has the queues of openExchange, of which "student" belongs to the
// file "records".
func newWatched(t testing.TB) *watched {
	t.Helper()
	w := &watched{clock: newClock(), t: t, free: 1 << 40, plugins: []host.PluginStatus{{File: "records", State: host.PluginActive}}}
	w.store = &failingStore{Store: openStoreAt(t, w.Now)}
	queues, err := host.OpenQueues(t.Context(), w.store, []host.Queue{{Group: "plain"}, {Group: "pushed", Method: host.Send}})
	if err != nil {
		t.Fatal(err)
	}
	if err := queues.Declare(t.Context(), host.Queue{Group: "student", Method: host.Poll, Plugin: "records", File: "records", Formats: true}, nil); err != nil {
		t.Fatal(err)
	}
	tokens, err := host.OpenTokens(t.Context(), w.store)
	if err != nil {
		t.Fatal(err)
	}
	w.x = &host.Exchange{Store: w.store, Queues: queues, Tokens: tokens}
	w.restart(0)
	return w
}

// restart starts the daemon again after it was down for so long.
func (w *watched) restart(down time.Duration) {
	w.t.Helper()
	if w.alerts != nil {
		flushActivities(w.t, w.alerts.Activities)
		if err := w.inbox.Flush(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.move(down)
	w.inbox = host.NewInbox(w.store, w.Now)
	activities := openActivities(w.t, w.store, w.clock)
	w.x.Observer = activities
	w.alerts = &host.Alerts{
		Inbox: w.inbox, Store: w.store, Queues: w.x.Queues, Activities: activities, Now: w.Now,
		Plugins: func() []host.PluginStatus { return w.plugins },
		Limits:  func(host.GroupName) host.AlertLimits { return w.limits },
		Disk:    func() (uint64, uint64, error) { return w.free, host.DefaultFree, w.diskErr },
	}
}

// after lets time pass, checks, and compares the reports that last.
func (w *watched) after(d time.Duration, want ...string) {
	w.t.Helper()
	w.move(d)
	if err := w.alerts.Check(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, r := range openReports(w.t, w.inbox) {
		got = append(got, strings.TrimSuffix(fmt.Sprintf("%s %s%s", r.Kind, r.Group, r.Plugin), " "))
		if r.Title == "" || !r.Lasting {
			w.t.Errorf("the report is %+v", r)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("wrong are %q, want %q", got, want)
	}
}

// poll fetches and marks.
func (w *watched) poll(mark bool) {
	w.t.Helper()
	f := fetch(w.t, w.x, "plain", 16)
	if mark {
		if _, err := w.x.Mark(w.t.Context(), "plain", f.Token, nil, host.Caller{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestWaitingAlert(t *testing.T) {
	w := newWatched(t)
	addText(t, w.x, "plain", "1")
	addText(t, w.x, "pushed", "1")
	w.after(24 * time.Hour)
	w.after(time.Second, "waiting plain", "waiting pushed")
	w.restart(time.Minute)
	w.after(time.Minute, "waiting plain", "waiting pushed")
	w.limits.Waiting = -1
	w.after(time.Minute)
	w.limits.Waiting = time.Hour
	w.after(time.Minute, "waiting plain", "waiting pushed")
	w.poll(true)
	w.after(time.Minute, "waiting pushed")
	r := onlyReport(t, w.inbox)
	if r.Title != "The oldest unread message, 1, is older than 1 hour." || !strings.Contains(r.Details, "restante send status pushed") || strings.Contains(r.Details, "fetch") {
		t.Errorf("the report is %+v", r)
	}
}

// TestAlertsOfPollersEnd has a queue that was polled be sent from now on.
func TestAlertsOfPollersEnd(t *testing.T) {
	w := newWatched(t)
	addText(t, w.x, "plain", "1")
	for range 5 {
		w.poll(false)
		w.after(time.Hour)
	}
	for range 5 {
		w.poll(false)
	}
	w.after(3*time.Hour, "silent plain", "unmarked plain")
	if err := w.x.Queues.Configure(t.Context(), []host.Queue{{Group: "plain", Method: host.Send}, {Group: "pushed", Method: host.Send}}); err != nil {
		t.Fatal(err)
	}
	w.after(time.Minute)
}

func TestSilentAlert(t *testing.T) {
	w := newWatched(t)
	for range 5 {
		w.poll(true)
		w.after(time.Hour)
	}
	w.poll(true)
	w.after(2*time.Hour + 5*time.Minute)
	w.after(time.Second, "silent plain")
	title := onlyReport(t, w.inbox).Title

	// It still is after a restart, until somebody comes.
	w.restart(time.Minute)
	w.after(0, "silent plain")
	if r := onlyReport(t, w.inbox); r.Title != title {
		t.Errorf("after a restart the report is %+v", r)
	}
	w.limits.Silence = -1
	w.after(0)
	w.limits.Silence = 2
	w.after(4*time.Hour+time.Minute, "silent plain")
	w.poll(true)
	w.after(time.Second)

	// Nobody could come while the daemon was down, so pollers get their time.
	w.restart(7 * 24 * time.Hour)
	w.after(0)
	w.after(2 * time.Hour)
	w.poll(true)
	w.after(2 * time.Hour)
	w.restart(7 * 24 * time.Hour)
	w.after(0)
	w.after(5*time.Hour, "silent plain")
}

func TestUnmarkedAlert(t *testing.T) {
	w := newWatched(t)
	addText(t, w.x, "plain", "1\n2")
	for range 9 {
		w.poll(false)
		w.after(2 * time.Minute)
	}
	w.poll(false)
	w.after(time.Second, "unmarked plain")
	w.restart(time.Minute)
	w.poll(false)
	w.after(0, "unmarked plain")
	w.limits.Unmarked = -1
	w.after(time.Minute)
	w.limits.Unmarked = 12
	w.after(time.Minute)
	w.poll(false)
	w.after(time.Minute, "unmarked plain")
	w.poll(true)
	w.after(0)
	for range 100 { // all at once
		w.move(time.Second)
		w.poll(false)
	}
	w.after(0)
}

func TestDiskAlert(t *testing.T) {
	w := newWatched(t)
	w.diskErr = errors.ErrUnsupported
	w.after(0)
	w.diskErr = nil
	w.free = host.DefaultFree
	w.after(time.Minute)
	w.free--
	w.after(time.Minute, "disk")
	w.restart(time.Minute)
	w.after(0, "disk")
	w.free++
	w.after(time.Minute)
	w.diskErr = errBroken
	if err := w.alerts.Check(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Check = %v", err)
	}
	w.alerts.Disk = nil
	w.after(0)
}

func TestPluginAlert(t *testing.T) {
	w := newWatched(t)
	state := func(s host.PluginState) {
		w.plugins = []host.PluginStatus{{File: "records", State: s, Reason: "its process ended; it is tried again in 3s"}}
	}
	w.after(0)
	state(host.PluginRejected)
	w.after(0, "plugin records")
	if r := onlyReport(t, w.inbox); r.Title != "The plugin records is rejected: its process ended." || r.Details != w.plugins[0].Reason {
		t.Errorf("the report is %+v", r)
	}
	state(host.PluginStarting) // which is not over yet
	w.after(time.Second, "plugin records")
	w.restart(time.Minute)
	w.after(0, "plugin records")
	state(host.PluginBackingOff)
	w.after(0, "plugin records")
	state(host.PluginActive)
	w.after(time.Second)

	// What is mended within a minute is nothing, but starting is not mended.
	state(host.PluginBackingOff)
	w.after(time.Second)
	state(host.PluginActive)
	w.after(30 * time.Second)
	state(host.PluginBackingOff)
	w.after(40 * time.Second)
	state(host.PluginStarting)
	w.after(30 * time.Second)
	state(host.PluginBackingOff)
	w.after(30*time.Second, "plugin records")
	state(host.PluginActive)
	w.after(time.Second)

	// Its file is taken away, and put back.
	active := w.plugins
	w.plugins = nil
	w.after(time.Second)
	w.after(time.Minute, "plugin records")
	if r := onlyReport(t, w.inbox); r.Title != "The plugin file records is missing, and writes the queues student." {
		t.Errorf("the report is %+v", r)
	}
	w.restart(time.Hour)
	w.after(0, "plugin records")
	w.plugins = active
	w.after(0)

	// Its queue goes to nobody, or to another.
	w.plugins = nil
	w.after(time.Second)
	w.after(time.Minute, "plugin records")
	if err := w.x.Queues.Release(t.Context(), "student"); err != nil {
		t.Fatal(err)
	}
	w.after(0)

	// A file that never had a queue, and no name either.
	w.plugins = []host.PluginStatus{{File: "a\xffb", State: host.PluginRejected, Reason: "no program", LastExit: &host.PluginExit{Reason: "exit status 1"}}}
	w.after(0, "plugin a\uFFFDb")
	acknowledge(t, w.inbox, onlyReport(t, w.inbox).ID)
	w.after(time.Minute, "plugin a\uFFFDb")
	w.plugins = nil
	w.after(time.Minute)
}

// TestAlertsWriteLittle: what lasts is told once, and again now and then.
func TestAlertsWriteLittle(t *testing.T) {
	w := newWatched(t)
	addText(t, w.x, "plain", "1")
	w.after(25*time.Hour, "waiting plain")
	for range 120 {
		w.after(30*time.Second, "waiting plain")
	}
	if r := onlyReport(t, w.inbox); r.Times != 7 {
		t.Errorf("in an hour it was reported %d times", r.Times)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", time.Millisecond: "0 seconds", time.Second: "1 second", 90 * time.Second: "1 minute 30 seconds",
		5*time.Minute + time.Second: "5 minutes", time.Hour: "1 hour", 49 * time.Hour: "2 days 1 hour", 100 * 24 * time.Hour: "100 days",
	} {
		if got := host.Duration(d); got != want {
			t.Errorf("Duration(%s) = %q, want %q", d, got, want)
		}
	}
}

// Each daemon has plugins and a disk of its own: none ends what another reports.
func TestAlertsOfTwoDaemons(t *testing.T) {
	a := newWatched(t)
	b := &watched{clock: a.clock, t: t, x: a.x, store: a.store, free: 1 << 40, plugins: []host.PluginStatus{{File: "records", State: host.PluginActive}}}
	b.restart(0)
	a.alerts.Daemon, b.alerts.Daemon = "a", "b"
	check := func(want string, ended int, all ...*watched) {
		t.Helper()
		for range 3 {
			for _, w := range all {
				a.move(time.Minute)
				if err := w.alerts.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := []string{}
		for _, r := range openReports(t, b.inbox) {
			got = append(got, fmt.Sprintf("%s of %s", r.Kind, r.Daemon))
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != want {
			t.Errorf("the inbox has %q, want %q", strings.Join(got, ", "), want)
		}
		if done, err := b.inbox.Done(t.Context(), 0, 10); err != nil || len(done) != ended {
			t.Errorf("%d reports have ended, %v, want %d", len(done), err, ended)
		}
	}
	a.free, a.plugins[0].State = 0, host.PluginRejected
	check("disk of a, plugin of a", 0, a, b)
	b.free = 0
	check("disk of a, disk of b, plugin of a", 0, a, b)
	a.free, a.plugins[0].State = 1<<40, host.PluginActive
	check("disk of b", 2, a, b)
	check("disk of b", 2, a) // b may be gone
	a.move(time.Hour)
	check("", 3, a)
}

// A queue that one daemon has found blocked is free when another has handed out
// what stood in the way, or somebody has held it.
func TestEndOfBlocked(t *testing.T) {
	w := newWatched(t)
	addText(t, w.x, "plain", "1\n2\n3\n")
	err := w.inbox.Raise(t.Context(), host.ErrorReport{
		Kind: host.ErrorBlocked, Group: "plain", Title: "t", Messages: []host.Rejection{{ID: 2}, {ID: 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.restart(0)
	w.after(time.Hour, "blocked plain")
	if _, _, err := w.x.Hold(t.Context(), "plain", host.NewRanges(3)); err != nil {
		t.Fatal(err)
	}
	w.after(time.Second, "blocked plain")
	w.poll(true)
	w.after(time.Second)
}
