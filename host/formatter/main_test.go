//go:build unix

package formatter_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/process/plugintest"
	"github.com/restante/restante/host/formatter/sandbox"
)

func TestMain(m *testing.M) {
	plugintest.RunPlugin()
	goleak.VerifyTestMain(m)
}

// shop is a plugin folder with the Plugins that run it. Its end checks that
// nothing is left.
type shop struct {
	*testing.T
	*formatter.Plugins
	folder, private, sockets string
	records                  *records
	queues                   *host.Queues
	log                      plugintest.Output
	config                   formatter.Config
	stop                     func()
}

func newShop(t *testing.T) *shop {
	t.Helper()
	sockets, err := os.MkdirTemp("/tmp", "rs")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	s := &shop{T: t, folder: filepath.Join(folder, "plugins"), private: filepath.Join(folder, "copies"), sockets: sockets, records: &records{}, stop: func() {}}
	if err := os.Mkdir(s.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	s.config = formatter.Config{
		Folder: s.folder, Private: s.private, Sockets: sockets,
		Log:        hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: &s.log}),
		Settle:     60 * time.Millisecond,
		Rescan:     500 * time.Millisecond,
		Grace:      time.Second,
		Sandbox:    sandbox.Off, // the race detector's memory would be over any limit
		MinBackoff: 10 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
	}
	t.Cleanup(func() {
		s.stop()
		if left := children(); len(left) > 0 {
			t.Errorf("%d processes are left: %v", len(left), left)
		}
		if left, _ := os.ReadDir(sockets); len(left) > 0 {
			t.Errorf("folders for sockets are left: %v", left)
		}
		_ = os.RemoveAll(sockets)
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

// open runs the plugins. A second call is a restart of the daemon.
func (s *shop) open() *shop {
	s.Helper()
	s.stop()
	var err error
	if s.queues, err = host.OpenQueues(s.Context(), s.records, nil); err != nil {
		s.Fatal(err)
	}
	s.config.Queues, s.config.Records = s.queues, s.records
	if s.Plugins, err = formatter.New(s.config); err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Plugins.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.Errorf("Run() = %v", err)
		}
	})
	return s
}

func (s *shop) ready() *shop {
	s.Helper()
	select {
	case <-s.Ready():
	case <-time.After(time.Minute):
		s.Fatalf("not ready: %+v", s.List())
	}
	return s
}

// install puts a plugin with one group, called like its file, into the folder.
func (s *shop) install(file, version string) {
	s.Helper()
	s.put(file, plugintest.Spec{Name: file + "-plugin", Version: version, Groups: []string{file}})
}

func (s *shop) put(file string, spec plugintest.Spec) {
	s.Helper()
	plugintest.Install(s, s.folder, file, spec)
}

func (s *shop) remove(file string) {
	s.Helper()
	if err := os.Remove(filepath.Join(s.folder, file)); err != nil {
		s.Fatal(err)
	}
}

// format formats a batch of one message and returns the version that did it.
func (s *shop) format(group, data string) (version string, err error) {
	s.Helper()
	d, err := s.WriteMessages(s.Context(), group+"-plugin", batch(group, data))
	line, _, _ := strings.Cut(string(d.Body), "\n")
	return line[strings.LastIndexByte(line, '/')+1:], err
}

// unavailable asks for a batch and returns why there is none.
func (s *shop) unavailable(plugin, group, data string) string {
	s.Helper()
	_, err := s.WriteMessages(s.Context(), plugin, batch(group, data))
	fault, ok := errors.AsType[*host.UnavailableError](err)
	if !ok {
		s.Fatalf("WriteMessages(%s) = %v, want an *UnavailableError", plugin, err)
	}
	if fault.Plugin != plugin {
		s.Errorf("WriteMessages(%s): the error names %q", plugin, fault.Plugin)
	}
	if fault.Detail != "" {
		return fault.Reason + ": " + fault.Detail
	}
	return fault.Reason
}

// status returns the state of one file; its File is "" if there is none.
func (s *shop) status(file string) host.PluginStatus {
	for _, st := range s.List() {
		if st.File == file {
			return st
		}
	}
	return host.PluginStatus{}
}

func (s *shop) await(file string, state host.PluginState) host.PluginStatus {
	s.Helper()
	s.eventually(file+" is "+string(state), func() bool { return s.status(file).State == state })
	return s.status(file)
}

func (s *shop) serves(group, version string) {
	s.Helper()
	s.eventually(group+" is formatted by "+version, func() bool {
		got, err := s.format(group, "1")
		return err == nil && got == version
	})
}

func (s *shop) eventually(what string, holds func() bool) {
	s.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			s.Fatalf("not within a minute: %s\n%+v", what, s.List())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func batch(group string, data ...string) host.Batch {
	b := host.Batch{Group: host.GroupName(group), Token: "T"}
	for i, d := range data {
		b.Messages = append(b.Messages, host.Message{ID: host.ID(i + 1), Time: time.Unix(1, 0), Data: []byte(d)})
	}
	return b
}

// children returns our child processes, zombies included.
func children() []string {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var found []string
	for _, path := range stats {
		text, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			found = append(found, string(text[:min(40, len(text))]))
		}
	}
	return found
}

// records is host.Records in memory.
type records struct {
	mu      sync.Mutex
	buckets map[string]map[string]host.Record
	last    uint64
}

func (r *records) Record(_ context.Context, bucket, key string) (host.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record, ok := r.buckets[bucket][key]
	if !ok {
		return host.Record{}, host.ErrNoRecord
	}
	return record, nil
}

func (r *records) Records(_ context.Context, bucket string) ([]host.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.buckets[bucket]), func(a, b host.Record) int { return cmp.Compare(a.Key, b.Key) }), nil
}

func (r *records) PutRecord(ctx context.Context, bucket string, record host.Record) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if r.buckets[bucket][record.Key].Revision != record.Revision {
		return 0, host.ErrConflict
	}
	if r.buckets == nil {
		r.buckets = map[string]map[string]host.Record{}
	}
	if r.buckets[bucket] == nil {
		r.buckets[bucket] = map[string]host.Record{}
	}
	r.last++
	record.Revision = r.last
	record.Value = slices.Clone(record.Value)
	r.buckets[bucket][record.Key] = record
	return r.last, nil
}

func (r *records) DeleteRecord(_ context.Context, bucket string, record host.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buckets[bucket][record.Key].Revision != record.Revision {
		return host.ErrConflict
	}
	delete(r.buckets[bucket], record.Key)
	return nil
}
