package boltstore_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"sync"
	"testing"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
)

// TestCheckBesideWrites looks at a store that is being written to.
func TestCheckBesideWrites(t *testing.T) {
	s := open(t, boltstore.Config{Path: filepath.Join(t.TempDir(), "store")})
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for range 4 {
		writing.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.Append(t.Context(), host.Addition{Group: "g", Data: []json.RawMessage{[]byte("1")}}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 50 {
		if err := s.CheckData(); err != nil {
			t.Errorf("CheckData: %v", err)
		}
		if err := s.Check(); err != nil {
			t.Errorf("Check: %v", err)
		}
	}
	stop()
	writing.Wait()
}
