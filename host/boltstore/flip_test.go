package boltstore_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
)

// TestAFlippedBitIsFound changes single bits of all keys and values in a file, one
// after the other, while the store has it open.
func TestAFlippedBitIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, boltstore.Config{Path: path})
	variedStore(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	pieces := storedPieces(t, path)
	s = open(t, boltstore.Config{Path: path})
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := s.CheckData(); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	for _, p := range pieces {
		// The first byte may say how to read the rest, so all its bits are tried.
		flips := []int{0, 1, 2, 3, 4, 5, 6, 7}
		for range 8 {
			flips = append(flips, random.IntN(8*p.length))
		}
		for _, bit := range flips {
			at := p.offset + int64(bit/8)
			b := make([]byte, 1)
			if _, err := file.ReadAt(b, at); err != nil {
				t.Fatal(err)
			}
			flipped := []byte{b[0] ^ 1<<(bit%8)}
			_, err := file.WriteAt(flipped, at)
			if s.CheckData() == nil {
				t.Errorf("bit %d of %s is not found", bit, p.what)
			}
			if _, again := file.WriteAt(b, at); errors.Join(err, again) != nil {
				t.Fatal(err, again)
			}
			seen[p.what]++
		}
	}
	if err := s.Check(); err != nil {
		t.Errorf("with all bits flipped back: %v", err)
	}
	t.Log(seen)
}

// variedStore fills a store with some of everything, so much that no bucket is
// stored within another one.
func variedStore(t *testing.T, s *boltstore.Store) {
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 {
		key := fmt.Sprint(strings.Repeat("key ", 10), i)
		body := bytes.Repeat([]byte(key), 10)
		must(s.Append(t.Context(), host.Addition{Group: "group", Key: key, Data: []json.RawMessage{[]byte(`{"text":"` + key + `"}`), []byte("17")}}))
		must(s.PutRecord(t.Context(), "bucket", host.Record{Key: key, Value: body}))
		must(s.AppendEntry(t.Context(), "journal", host.Entry{Key: key, Value: body}, false))
		must(nil, s.PutBody(t.Context(), "group", sha256.Sum256(body), body))
	}
	_, _, err := s.Move(t.Context(), "group", host.NewRanges(2, 3, 5, 8, 13), host.Read)
	must(nil, err)
	_, _, err = s.Move(t.Context(), "group", host.NewRanges(7, 9), host.Held)
	must(nil, err)
	must(s.Prune(t.Context(), "group", time.Now().Add(time.Hour), 2))
}

// piece is a key or a value and its place in the file.
type piece struct {
	what   string
	offset int64
	length int
}

// storedPieces finds all keys and values of a file, the names of buckets among them.
func storedPieces(t *testing.T, path string) (all []piece) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	add := func(what string, b []byte) {
		if len(b) == 0 {
			return
		}
		offset := int64(uintptr(unsafe.Pointer(&b[0])) - db.Info().Data)
		if offset < 0 || offset >= info.Size() {
			t.Fatalf("%s is not in the file", what)
		}
		all = append(all, piece{what, offset, len(b)})
	}
	var walk func(what string, b *bolt.Bucket) error
	walk = func(what string, b *bolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			if v != nil || b.Bucket(k) == nil {
				add(what+" key", k)
				add(what+" value", v)
				return nil
			}
			add(what+" name", k)
			return walk(what+"/"+string(k), b.Bucket(k))
		})
	}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			if string(name) == "meta" {
				return nil // what opening a file looks at
			}
			return walk(string(name), b)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDamageStaysWhereItIs changes one bit of each kind of value, and uses the
// others.
func TestDamageStaysWhereItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	body := make([]byte, 100_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(body)
	sum := host.Sum(sha256.Sum256(body))
	value := bytes.Repeat([]byte("what left the building "), 20)
	s := open(t, boltstore.Config{Path: path})
	for _, data := range []string{`"first"`, `"second"`, `"third"`} {
		if _, err := s.Append(t.Context(), host.Addition{Group: "g", Data: []json.RawMessage{[]byte(data)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutBody(t.Context(), "g", sum, body); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AppendEntry(t.Context(), "j", host.Entry{Key: "k", Value: value}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutRecord(t.Context(), "b", host.Record{Key: "k", Value: []byte("the value")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		needle string
		read   func(*testing.T, *boltstore.Store) error
	}{
		"body": {string(body[50_000:50_100]), func(t *testing.T, s *boltstore.Store) error {
			_, err := s.Body(t.Context(), "g", sum)
			return err
		}},
		"entry": {string(value), func(t *testing.T, s *boltstore.Store) error {
			_, err := s.Entries(t.Context(), "j", 0, 1)
			return err
		}},
		"record": {"the value", func(t *testing.T, s *boltstore.Store) error {
			_, err := s.Record(t.Context(), "b", "k")
			return err
		}},
		"message": {`"second"`, aroundDamage},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := bytes.Clone(whole)
			at := bytes.LastIndex(damaged, []byte(c.needle))
			if at < 0 {
				t.Fatal("it is not in the file")
			}
			damaged[at+7] ^= 0x10
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, boltstore.Config{Path: path})
			defer s.Close()
			if err := s.Check(); !errors.Is(err, host.ErrDamaged) {
				t.Errorf("Check: %v", err)
			}
			if err := c.read(t, s); !errors.Is(err, host.ErrDamaged) {
				t.Errorf("reading it: %v", err)
			}
		})
	}
}

// aroundDamage uses a group whose second message of three is damaged.
func aroundDamage(t *testing.T, s *boltstore.Store) error {
	ctx := t.Context()
	unread := func(want ...host.ID) error {
		t.Helper()
		all, err := s.Unread(ctx, "g", 9, 1000)
		var got []host.ID
		for _, m := range all {
			got = append(got, m.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("Unread = %v, %v, want %v", got, err, want)
		}
		return err
	}
	move := func(to host.Status, id host.ID) {
		t.Helper()
		if n, _, err := s.Move(ctx, "g", host.NewRanges(id), to); err != nil || n != 1 {
			t.Errorf("Move = %d, %v", n, err)
		}
	}
	all, err := s.List(ctx, "g", 0, 9)
	if err != nil || len(all) != 3 || all[0].Damaged || !all[1].Damaged || all[2].Damaged || all[1].ID != 2 || all[1].Data != nil {
		t.Errorf("List = %+v, %v", all, err)
	}
	if id, err := s.At(ctx, "g", all[2].Time.Add(1)); err != nil || id != 3 {
		t.Errorf("At = %d, %v, want 3", id, err)
	}
	if err := unread(1); err != nil {
		t.Errorf("Unread of what comes before = %v", err)
	}
	move(host.Read, 1)
	if err := unread(); !errors.Is(err, host.ErrDamaged) || !strings.Contains(err.Error(), `message 2 of "g"`) {
		t.Errorf("Unread = %v", err)
	}
	move(host.Held, 2)
	if err := unread(3); err != nil {
		t.Errorf("Unread of what comes after = %v", err)
	}
	move(host.Read, 2)
	move(host.Read, 3)
	if n, err := s.Prune(ctx, "g", time.Now().Add(time.Hour), 9); err != nil || n != 2 {
		t.Errorf("Prune = %d, %v, want 2", n, err)
	}
	_, err = s.Message(ctx, "g", 2)
	return err
}

// TestADamagedStateIsRefused changes a bit of what a group remembers: nobody knows
// which messages to hand out.
func TestADamagedStateIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, boltstore.Config{Path: path})
	variedStore(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range storedPieces(t, path) {
		if p.what == "groups/group value" {
			text[p.offset+9] ^= 1
		}
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = boltstore.Open(boltstore.Config{Path: path})
	if !errors.Is(err, host.ErrDamaged) || !strings.Contains(err.Error(), `group "group"`) {
		t.Errorf("Open = %v", err)
	}
}

// TestAFileOfSchema1 uses a file that an earlier version wrote.
func TestAFileOfSchema1(t *testing.T) {
	packed, err := os.Open("testdata/schema1.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, boltstore.Config{Path: path})
	ctx := t.Context()
	check := func(counts host.Counts, text string) {
		t.Helper()
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		if got, err := s.Counts(ctx, "student"); err != nil || got != counts {
			t.Errorf("Counts = %+v, %v, want %+v", got, err, counts)
		}
		all, err := s.List(ctx, "student", 0, 10)
		got := ""
		for _, m := range all {
			got += fmt.Sprintf("%d %s %s;", m.ID, m.Status, m.Data)
		}
		if err != nil || got != text {
			t.Errorf("List = %s, %v, want %s", got, err, text)
		}
		if ids, err := s.Added(ctx, "student", "k"); err != nil || ids.String() != "2-3" {
			t.Errorf("Added = %s, %v", ids, err)
		}
		if r, err := s.Record(ctx, "b", "k"); err != nil || string(r.Value) != "v" || r.Revision != 1 {
			t.Errorf("Record = %+v, %v", r, err)
		}
		if all, err := s.EntriesOf(ctx, "j", "k", 9); err != nil || string(all[0].Value) != "entry" {
			t.Errorf("EntriesOf = %+v, %v", all, err)
		}
		if b, err := s.Body(ctx, "student", sha256.Sum256([]byte("body"))); err != nil || string(b) != "body" {
			t.Errorf("Body = %q, %v", b, err)
		}
	}
	const was = `5 unread {"n":5};4 held {"n":4};3 unread {"n":3};2 read {"n":2};`
	check(host.Counts{Last: 5, Unread: 2, Read: 1, Held: 1}, was)
	for _, a := range []host.Addition{
		{Group: "student", Key: "k", Data: []json.RawMessage{[]byte(`{"n":2}`), []byte(`{"n":3}`)}}, // again
		{Group: "student", Data: []json.RawMessage{[]byte(`{"n":6}`)}},
	} {
		if _, err := s.Append(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	body := []byte("body")
	if err := errors.Join(s.PutBody(ctx, "student", sha256.Sum256(body), body), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, boltstore.Config{Path: path})
	check(host.Counts{Last: 6, Unread: 3, Read: 1, Held: 1}, `6 unread {"n":6};`+was)
}

// TestAFileOfBeforeJournals is one that an earlier version wrote.
func TestAFileOfBeforeJournals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	if err := open(t, boltstore.Config{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return errors.Join(tx.DeleteBucket([]byte("journals")), tx.DeleteBucket([]byte("bodies")),
			tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte{1}))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s := open(t, boltstore.Config{Path: path})
	defer s.Close()
	if number, err := s.AppendEntry(t.Context(), "j", host.Entry{}, false); err != nil || number != 1 {
		t.Errorf("AppendEntry = %d, %v", number, err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}
