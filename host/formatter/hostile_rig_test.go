//go:build unix

package formatter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/process/plugintest"
	"github.com/restante/restante/host/formatter/sandbox"
)

// Limits of the rig. The call limit is for a machine that is busy with what the
// hostile plugins do: pollers of the good plugin must never meet it.
const (
	rigCall     = 2 * time.Second
	rigStart    = 1500 * time.Millisecond
	rigDiscover = time.Second
	rigGrace    = 300 * time.Millisecond
)

// rig is a whole exchange with a real store and one good plugin, which is polled
// and added to all the time.
type rig struct {
	testing.TB // the subtest's
	plugins    *formatter.Plugins
	exchange   host.Exchange
	queues     *host.Queues
	folder     string
	sockets    string
	log        plugintest.Output

	doing       atomic.Pointer[string] // the mode that is on, for messages
	polls, adds atomic.Int64
	slowest     atomic.Int64 // poll, in ns
	goodPID     int
}

// newRig starts all that; its end stops it and checks that nothing is left.
func newRig(t *testing.T) *rig {
	t.Helper()
	sockets, err := os.MkdirTemp("/tmp", "rr")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	r := &rig{TB: t, folder: filepath.Join(folder, "plugins"), sockets: sockets}
	r.during("the start")
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(folder, "store")})
	if err != nil {
		t.Fatal(err)
	}
	if r.queues, err = host.OpenQueues(t.Context(), store, nil); err != nil {
		t.Fatal(err)
	}
	tokens, err := host.OpenTokens(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	r.plugins, err = formatter.New(formatter.Config{
		Folder: r.folder, Private: filepath.Join(folder, "copies"), Sockets: sockets,
		Queues: r.queues, Records: store, Recent: recent(store),
		Log:    hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: &r.log, JSONFormat: true}),
		Settle: 30 * time.Millisecond, Rescan: time.Second,
		Sandbox:      sandbox.Off,
		StartTimeout: rigStart, DiscoverTimeout: rigDiscover, CallTimeout: rigCall, Grace: rigGrace,
		MinBackoff: 50 * time.Millisecond, MaxBackoff: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.exchange = host.Exchange{Store: store, Queues: r.queues, Tokens: tokens, Formatters: r.plugins}
	plugintest.Install(t, r.folder, "good", plugintest.Spec{Name: "good-plugin", Version: "1", Groups: []string{"good"}})

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.plugins.Run(ctx); err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	load, unload := context.WithCancel(ctx)
	var loading sync.WaitGroup
	t.Cleanup(func() {
		r.TB = t
		r.during("the end")
		unload()
		loading.Wait()
		cancel()
		running.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if left := children(); len(left) > 0 {
			t.Errorf("%d processes are left: %v", len(left), left)
		}
		if left, _ := os.ReadDir(sockets); len(left) > 0 {
			t.Errorf("folders for sockets are left: %v", left)
		}
		_ = os.RemoveAll(sockets)
	})
	select {
	case <-r.plugins.Ready():
	case <-time.After(time.Minute):
		t.Fatalf("not ready: %+v", r.plugins.List())
	}
	r.goodPID = r.status("good").PID
	if r.goodPID == 0 {
		t.Fatalf("the good plugin does not run: %+v", r.status("good"))
	}
	for range 2 {
		loading.Go(func() { r.poll(load, t) })
		loading.Go(func() { r.add(load, t) })
	}
	return r
}

// recent reads the messages to compare versions on.
func recent(store host.Store) func(context.Context, host.GroupName, int) ([]host.Message, error) {
	return func(ctx context.Context, g host.GroupName, limit int) (messages []host.Message, err error) {
		listed, err := store.List(ctx, g, 0, limit)
		for _, l := range slices.Backward(listed) {
			messages = append(messages, l.Message)
		}
		return messages, err
	}
}

// during says what goes on, for the messages of the load.
func (r *rig) during(what string) { r.doing.Store(&what) }

// poll fetches and marks the good plugin's group. Not one call may fail.
func (r *rig) poll(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begun := time.Now()
		got, err := r.exchange.Fetch(context.WithoutCancel(ctx), "good", 100, host.Caller{})
		if err != nil || !strings.HasPrefix(string(got.Document.Body), "good/") {
			t.Errorf("during %s: Fetch(good) = %.60q, %v", *r.doing.Load(), got.Document.Body, err)
			return
		}
		if _, err := r.exchange.Mark(context.WithoutCancel(ctx), "good", got.Token, nil, host.Caller{}); err != nil {
			t.Errorf("during %s: Mark(good) = %v", *r.doing.Load(), err)
			return
		}
		r.slowest.Store(max(r.slowest.Load(), int64(time.Since(begun))))
		r.polls.Add(1)
	}
}

// add adds to the good plugin's group.
func (r *rig) add(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := r.exchange.Add(context.WithoutCancel(ctx), host.AddRequest{Group: "good", Body: []byte(`{"a":1}`)}); err != nil {
			t.Errorf("during %s: Add(good) = %v", *r.doing.Load(), err)
			return
		}
		r.adds.Add(1)
	}
}

// goesOn checks that polls and adds of the good group go on now.
func (r *rig) goesOn() {
	r.Helper()
	polls, adds := r.polls.Load(), r.adds.Load()
	r.eventually("polls and adds of the other group go on", func() bool {
		return r.polls.Load() >= polls+3 && r.adds.Load() >= adds+3
	})
	if st := r.status("good"); st.PID != r.goodPID || st.Restarts != 0 || st.Failure != "" || st.Reason != "" {
		r.Fatalf("the good plugin was harmed: %+v", st)
	}
}

func (r *rig) status(file string) host.PluginStatus {
	for _, st := range r.plugins.List() {
		if st.File == file {
			return st
		}
	}
	return host.PluginStatus{}
}

// words is all that the status says of a file in words. It must be fit to be
// shown.
func (r *rig) words(file string) string {
	r.Helper()
	st := r.status(file)
	text := st.Reason + "\n" + st.Failure + "\n" + st.Name + "\n" + st.Version
	for g, why := range st.Refused {
		text += "\n" + string(g) + " is refused: " + why
	}
	if bad := strings.IndexFunc(text, func(c rune) bool { return c != '\n' && unicode.IsControl(c) }); bad >= 0 || !utf8.ValidString(text) {
		r.Errorf("the status is not fit to be shown: %q", text)
	}
	if len(st.Reason) > 2000 || len(st.Failure) > 2000 {
		r.Errorf("the status is too long: %d and %d bytes", len(st.Reason), len(st.Failure))
	}
	if _, err := json.Marshal(st); err != nil {
		r.Errorf("the status is no JSON: %v", err)
	}
	return text
}

// await waits until a file is in a state and the status says something.
func (r *rig) await(file string, state host.PluginState, words string) {
	r.Helper()
	r.eventually(fmt.Sprintf("%s is %s: %s", file, state, words), func() bool {
		return r.status(file).State == state && strings.Contains(r.words(file), words)
	})
}

func (r *rig) eventually(what string, holds func() bool) {
	r.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			r.Fatalf("not within a minute: %s\n%+v", what, r.plugins.List())
		}
		<-tick.C
	}
}

// fetch asks for the hostile plugin's own group, and returns in words what came
// of it: "served", or the error, which must be of one of the two known kinds.
func (r *rig) fetch(group host.GroupName) string {
	r.Helper()
	_, err := r.exchange.Fetch(r.Context(), group, 100, host.Caller{})
	if err == nil {
		return "served"
	}
	_, unavailable := errors.AsType[*host.UnavailableError](err)
	_, rejected := errors.AsType[*host.RejectedError](err)
	if !unavailable && !rejected {
		r.Errorf("Fetch(%s) = %v (%T)", group, err, err)
	}
	return err.Error()
}

// resources is what could leak. Goroutines come and go with every poll, so the
// least of some counts is taken.
type resources struct{ processes, folders, files, goroutines int }

func (r *rig) resources() resources {
	folders, _ := os.ReadDir(r.sockets)
	files, _ := os.ReadDir("/proc/self/fd")
	return resources{len(children()), len(folders), len(files), runtime.NumGoroutine()}
}

// quiet returns the least that is in use over some polls.
func (r *rig) quiet() resources {
	least := r.resources()
	for from := r.polls.Load(); r.polls.Load() < from+20; {
		now := r.resources()
		least = resources{
			min(least.processes, now.processes), min(least.folders, now.folders),
			min(least.files, now.files), min(least.goroutines, now.goroutines),
		}
		runtime.Gosched()
	}
	return least
}

// freed waits until no more is in use than before.
func (r *rig) freed(before resources) {
	r.Helper()
	var now resources
	deadline := time.Now().Add(time.Minute)
	for {
		now = r.resources()
		if now.processes <= before.processes && now.folders <= before.folders && now.files <= before.files && now.goroutines <= before.goroutines {
			return
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			r.Errorf("in use before: %+v, and after: %+v\n%s", before, now, stacks[:runtime.Stack(stacks, true)])
			return
		}
		runtime.Gosched()
	}
}
