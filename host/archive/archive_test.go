package archive_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/archive"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "store")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var made = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func export(t *testing.T, s host.Copying) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := archive.Export(t.Context(), s, &b, archive.ExportOptions{Now: made}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	from, to := open(t), open(t)
	storetest.Fill(t, from)
	first := export(t, from)
	checked, err := archive.Check(t.Context(), bytes.NewReader(first), nil)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	done, err := archive.Import(t.Context(), to, bytes.NewReader(first), func(archive.Progress) { told++ })
	if err != nil || done != checked || done.Messages != done.AllMessages || done.Messages < 2500 || told == 0 {
		t.Errorf("Import = %+v, %v after %d calls, want %+v", done, err, told, checked)
	}
	if err := to.Check(); err != nil {
		t.Error(err)
	}
	if second := export(t, to); lines(first) != lines(second) {
		t.Errorf("the copy differs:\n%s\nwant\n%s", lines(second), lines(first))
	}
	if _, err := archive.Import(t.Context(), to, bytes.NewReader(first), nil); !errors.Is(err, host.ErrNotEmpty) {
		t.Errorf("Import into a store with messages = %v", err)
	}
}

// lines returns what is in an archive; nothing if that can't be unpacked.
func lines(packed []byte) string {
	r, err := zstd.NewReader(nil)
	if err != nil {
		return ""
	}
	defer r.Close()
	text, _ := r.DecodeAll(packed, nil)
	return string(text)
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll([]byte(text), nil)
}

// TestImportIntoStarted: a daemon that has just started leaves records and entries.
func TestImportIntoStarted(t *testing.T) {
	from, to := open(t), open(t)
	storetest.Fill(t, from)
	for _, s := range []host.Store{from, to} {
		if _, err := s.AppendEntry(t.Context(), "audit", host.Entry{Key: "g", Value: []byte("x")}, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := to.PutRecord(t.Context(), "b", host.Record{Key: "x", Value: []byte("other")}); err != nil {
		t.Fatal(err)
	}
	first := export(t, from)
	if _, err := archive.Import(t.Context(), to, bytes.NewReader(first), nil); err != nil {
		t.Fatal(err)
	}
	if lines(first) != lines(export(t, to)) {
		t.Error("the copy differs")
	}
}

// What is refused is left as it is, also where there are only deliveries.
func TestRefusedImportChangesNothing(t *testing.T) {
	from, to := open(t), open(t)
	storetest.Fill(t, from)
	for _, journal := range []string{"a", "audit", "b", "c", "deliveries/g", "errors", "x", "y"} {
		if _, err := to.AppendEntry(t.Context(), journal, host.Entry{Key: "k", Value: []byte("x")}, false); err != nil {
			t.Fatal(err)
		}
	}
	before := export(t, to)
	if _, err := archive.Import(t.Context(), to, bytes.NewReader(export(t, from)), nil); !errors.Is(err, host.ErrNotEmpty) {
		t.Errorf("Import = %v, want ErrNotEmpty", err)
	}
	if lines(before) != lines(export(t, to)) {
		t.Error("the store was changed")
	}
}

func TestBadArchives(t *testing.T) {
	from := open(t)
	storetest.Fill(t, from)
	good := export(t, from)
	text := lines(good)
	message := text[strings.Index(text, `{"message"`):]
	message = message[:strings.Index(message, "\n")+1]
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"empty":       {nil, archive.ErrNotArchive},
		"text":        {[]byte("hello"), archive.ErrNotArchive},
		"other JSON":  {packed(t, "{}\n"), archive.ErrNotArchive},
		"newer":       {packed(t, strings.Replace(text, `"version":1`, `"version":2`, 1)), archive.ErrNotArchive},
		"half":        {good[:len(good)/2], archive.ErrCut},
		"no end":      {packed(t, text[:strings.LastIndex(text, `{"end"`)]), archive.ErrCut},
		"a line less": {packed(t, strings.Replace(text, message, "", 1)), archive.ErrCut},
		"changed":     {packed(t, strings.Replace(text, `"journal":"over"`, `"journal":"ever"`, 1)), archive.ErrCut},
		"changed too": {packed(t, strings.Replace(text, `"group":"g"`, `"group":"h"`, 1)), archive.ErrCut},
		"unknown":     {packed(t, strings.Replace(text, `{"message"`, `{"massage"`, 1)), archive.ErrCut},
	} {
		t.Run(name, func(t *testing.T) {
			if lines(c.bytes) == text {
				t.Fatal("the archive was not changed")
			}
			if _, err := archive.Check(t.Context(), bytes.NewReader(c.bytes), nil); !errors.Is(err, c.want) {
				t.Errorf("Check = %v, want %v", err, c.want)
			}
			if _, err := archive.Import(t.Context(), open(t), bytes.NewReader(c.bytes), nil); err == nil {
				t.Error("it is imported")
			}
		})
	}
}

// damagedStore says that one message is damaged.
type damagedStore struct {
	host.Copying
	id host.ID
}

func (s damagedStore) List(ctx context.Context, g host.GroupName, before host.ID, limit int, only ...host.Status) ([]host.Listed, error) {
	all, err := s.Copying.List(ctx, g, before, limit, only...)
	for i := range all {
		if all[i].ID == s.id && g == "g" {
			all[i].Damaged, all[i].Data = true, nil
		}
	}
	return all, err
}

func (s damagedStore) Message(ctx context.Context, g host.GroupName, id host.ID) (host.Listed, error) {
	if id == s.id {
		return host.Listed{}, host.ErrDamaged
	}
	return s.Copying.Message(ctx, g, id)
}

func TestDamagedMessage(t *testing.T) {
	from := open(t)
	storetest.Fill(t, from)
	bad := damagedStore{from, 7}
	var b bytes.Buffer
	if _, err := archive.Export(t.Context(), bad, &b, archive.ExportOptions{Now: made}); !errors.Is(err, host.ErrDamaged) || !strings.Contains(err.Error(), "message 7") {
		t.Errorf("Export = %v", err)
	}
	b.Reset()
	done, err := archive.Export(t.Context(), bad, &b, archive.ExportOptions{Now: made, WithoutDamaged: true})
	if err != nil || len(done.Damaged) != 1 || done.Damaged[0] != "g/7" {
		t.Fatalf("Export = %+v, %v", done, err)
	}
	to := open(t)
	if _, err := archive.Import(t.Context(), to, &b, nil); err != nil {
		t.Fatal(err)
	}
	was, _ := from.Counts(t.Context(), "g")
	is, err := to.Counts(t.Context(), "g")
	if was.Held--; err != nil || is != was {
		t.Errorf("the copy counts %+v, want %+v", is, was)
	}
}
