package boltstore_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) { storetest.Run(t, openNew) }

func TestCopying(t *testing.T) { storetest.RunCopying(t, openNew) }

func openNew(t testing.TB) storetest.Opened {
	var moved time.Duration
	config := boltstore.Config{
		Path: filepath.Join(t.TempDir(), "restante.db"),
		Now:  func() time.Time { return time.Now().Add(moved) },
	}
	return opened(t, config, func(d time.Duration) { moved += d })
}

func opened(t testing.TB, config boltstore.Config, move func(time.Duration)) storetest.Opened {
	s := open(t, config)
	return storetest.Opened{
		A: s, B: s, Check: s.Check, Move: move,
		Reopen: func() storetest.Opened {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return opened(t, config, move)
		},
	}
}

func open(t testing.TB, config boltstore.Config) *boltstore.Store {
	s, err := boltstore.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestOpenRefuses(t *testing.T) {
	write := func(content string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    string
		is      error
	}{
		"another process's":  {func(t *testing.T, path string) { open(t, boltstore.Config{Path: path}) }, "in use", host.ErrInUse},
		"a newer version's":  {newerSchema, "its schema is 3 and this program knows 2", host.ErrNewer},
		"a text file":        {write(strings.Repeat("no store\n", 5000)), "damaged, or not a store", nil},
		"a short file":       {write("x"), "", nil},
		"half a page":        {cut(2000), "damaged", nil},
		"one page":           {cut(4096), "damaged", nil},
		"two pages":          {cut(8192), "damaged", nil},
		"half the file":      {cut(32768), "damaged", nil},
		"zeros from page 2":  {zeros, "damaged", nil},
		"in a lost folder":   {func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) }, "no such file", os.ErrNotExist},
		"in place of folder": {func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, "is a directory", nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "restante.db")
			c.prepare(t, path)
			_, err := boltstore.Open(boltstore.Config{Path: path})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open = %v, want an error with %q and the path", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("Open = %v, want %v", err, c.is)
			}
		})
	}
}

// cut leaves the beginning of a good file.
func cut(size int64) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		filled(t, path)
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
}

// zeros leaves the metadata of a good file, and its size.
func zeros(t *testing.T, path string) {
	size := filled(t, path)
	if err := errors.Join(os.Truncate(path, 8192), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
}

// filled makes a store with a message and returns the size of its file.
func filled(t *testing.T, path string) int64 {
	s := open(t, boltstore.Config{Path: path})
	a := host.Addition{Group: "g", Data: []json.RawMessage{[]byte(`"` + strings.Repeat("x", 100_000) + `"`)}}
	if _, err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	s.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func newerSchema(t *testing.T, path string) {
	open(t, boltstore.Config{Path: path}).Close()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte{3}) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestCheckFindsFaults(t *testing.T) {
	id := func(n byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, n} }
	for name, damage := range map[string]func(messages, keys *bolt.Bucket) error{
		"a lost message": func(m, _ *bolt.Bucket) error { return m.Delete(id(2)) },
		"a cut message":  func(m, _ *bolt.Bucket) error { return m.Put(id(2), []byte{1}) },
		"other bytes":    func(m, _ *bolt.Bucket) error { return m.Put(id(2), append(m.Get(id(2)), '}')) },
		"a late message": func(m, _ *bolt.Bucket) error { return m.Put(id(9), m.Get(id(2))) },
		"a dead key": func(_, k *bolt.Bucket) error {
			return k.Put([]byte("k"), append([]byte{77, 1}, make([]byte, 16)...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "restante.db")
			s := open(t, boltstore.Config{Path: path})
			a := host.Addition{Group: "g", Data: []json.RawMessage{[]byte("1"), []byte("2"), []byte("3")}}
			if _, err := s.Append(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(); err != nil {
				t.Fatalf("Check of a sound store = %v", err)
			}
			s.Close()
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bolt.Tx) error {
				g := tx.Bucket([]byte("groups")).Bucket([]byte("g"))
				return damage(g.Bucket([]byte("messages")), g.Bucket([]byte("keys")))
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			if err := open(t, boltstore.Config{Path: path}).Check(); err == nil {
				t.Error("Check found nothing")
			} else {
				t.Log(err)
			}
		})
	}
}

// TestFreePages opens copies of the file of a store that was not closed, with
// few free pages and with very many.
func TestFreePages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "restante.db")
	s := open(t, boltstore.Config{Path: path})
	a := host.Addition{Group: "g"}
	for range host.MaxAddition {
		a.Data = append(a.Data, json.RawMessage(`"`+strings.Repeat("x", 1500)+`"`))
	}
	crash := func(what string, unread uint64) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), "restante.db")
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, boltstore.Config{Path: copied})
		if counts, err := s.Counts(t.Context(), "g"); err != nil || counts.Unread != unread {
			t.Errorf("%s: %+v, %v, want %d unread", what, counts, err, unread)
		}
		if _, err := s.Append(t.Context(), host.Addition{Group: "g", Data: a.Data[:100]}); err != nil {
			t.Error(err)
		}
		if err := errors.Join(s.Check(), s.Close()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	crash("after adding", host.MaxAddition)
	var most host.Ranges
	most.Add(host.Range{First: 1, Last: host.MaxAddition - 10})
	if _, _, err := s.Move(t.Context(), "g", most, host.Read); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Prune(t.Context(), "g", time.Now().Add(time.Hour), host.MaxAddition); err != nil || n != most.Count() {
		t.Fatalf("Prune = %d, %v", n, err)
	}
	crash("after pruning", 10)
	add := host.Addition{Group: "g", Data: a.Data[:10]}
	for i := range uint64(3) {
		if _, err := s.Append(t.Context(), add); err != nil {
			t.Fatal(err)
		}
		crash("after pruning and adding", 20+10*i)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || after.Size() > info.Size() {
		t.Errorf("the file grew from %d to %d bytes, though the space of pruned messages was free", info.Size(), after.Size())
	}
}

// TestReadersSeeNoDamage has readers look while messages are read and pruned in
// the same commits.
func TestReadersSeeNoDamage(t *testing.T) {
	s := open(t, boltstore.Config{Path: filepath.Join(t.TempDir(), "restante.db")})
	var wait sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Unread(t.Context(), "g", 10, 1000); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 300 {
		if _, err := s.Append(t.Context(), host.Addition{Group: "g", Data: []json.RawMessage{[]byte("1")}}); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() { s.Move(t.Context(), "g", host.NewRanges(host.ID(i+1)), host.Read) })
		both.Go(func() { s.Prune(t.Context(), "g", time.Now().Add(time.Hour), 10) })
		both.Wait()
	}
	close(stop)
	wait.Wait()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}
