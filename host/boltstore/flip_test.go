package boltstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
)

// TestAFlippedBitIsFound changes single bits of what is stored in the file.
func TestAFlippedBitIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	body := make([]byte, 100_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(body)
	sum := host.Sum(sha256.Sum256(body))
	value := bytes.Repeat([]byte("what left the building "), 20)
	s := open(t, boltstore.Config{Path: path})
	if err := s.PutBody(t.Context(), "g", sum, body); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AppendEntry(t.Context(), "j", host.Entry{Key: "k", Value: value}, false); err != nil {
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
		needle []byte
		read   func(*boltstore.Store) error
	}{
		"body": {body[50_000:50_100], func(s *boltstore.Store) error {
			_, err := s.Body(t.Context(), "g", sum)
			return err
		}},
		"entry": {value, func(s *boltstore.Store) error {
			_, err := s.Entries(t.Context(), "j", 0, 1)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := bytes.Clone(whole)
			at := bytes.LastIndex(damaged, c.needle)
			if at < 0 {
				t.Fatal("it is not in the file")
			}
			damaged[at+7] ^= 0x10
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, boltstore.Config{Path: path})
			defer s.Close()
			if err := c.read(s); !errors.Is(err, host.ErrDamaged) {
				t.Errorf("reading it: %v", err)
			}
			if err := s.Check(); !errors.Is(err, host.ErrDamaged) {
				t.Errorf("Check: %v", err)
			}
		})
	}
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
		return errors.Join(tx.DeleteBucket([]byte("journals")), tx.DeleteBucket([]byte("bodies")))
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
