package boltstore

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/restante/restante/host"
)

// Config says where the store is.
type Config struct {
	// Path is the file; it is made if it does not exist, readable by its owner
	// alone.
	Path string
	// Now stamps messages; nil is time.Now.
	Now func() time.Time
}

// Store keeps everything in one file. It is safe for concurrent use within the
// one process that may have it open.
type Store struct {
	db    *bolt.DB
	now   func() time.Time
	zip   *zstd.Encoder
	unzip *zstd.Decoder
	host.Watchers

	// states holds what every group's state was at the latest commit. The
	// states are never changed: a commit puts new ones in their place.
	statesMu sync.RWMutex
	states   map[host.GroupName]*host.State

	operations sync.Pool // of *operation, to be used again

	queueMu sync.RWMutex // held for reading while sending to queue
	closed  bool
	queue   chan *operation
	done    chan struct{} // closed when the committing goroutine has ended

	// failed holds why no more can be written, once that is so.
	failed atomic.Pointer[error]
	// fullUntil is used by the committing goroutine alone.
	fullUntil time.Time
}

// schemaVersion is what is written. Schema 1 had no checksums but in journals and
// bodies; its values are read where they are, and sealed when they are written.
const schemaVersion = 2

var (
	metaBucket    = []byte("meta")
	schemaKey     = []byte("schema")
	groupsBucket  = []byte("groups")
	recordsBucket = []byte("records")
)

// buckets are those that every file has.
func buckets() [][]byte { return [][]byte{groupsBucket, recordsBucket, journalsBucket, bodiesBucket} }

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = 500 * time.Millisecond

// Open opens the file of a store, or makes it. It fails with host.ErrInUse
// while another process has it open, and with host.ErrNewer if a newer version
// of this program wrote it.
func Open(c Config) (*Store, error) {
	db, err := openFile(c.Path, &bolt.Options{
		Timeout: lockWait,
		// Whether the list of free pages is written is decided anew for every
		// commit; see syncFreelist.
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("open store %s: %w", c.Path, host.ErrInUse)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, fmt.Errorf("open store %s: %w: %w", c.Path, errDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("open store %s: %w", c.Path, plainError(err))
	}
	s := &Store{
		db:     db,
		now:    c.Now,
		states: map[host.GroupName]*host.State{},
		queue:  make(chan *operation, maxOperations),
		done:   make(chan struct{}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.zip, s.unzip, err = newZip(); err != nil {
		db.Close()
		return nil, err
	}
	if err := s.prepare(); err != nil {
		db.Close()
		return nil, fmt.Errorf("open store %s: %w", c.Path, err)
	}
	releaseMap(db)
	go s.commitLoop()
	return s, nil
}

// prepare checks the schema, makes it in a new file, and reads the states.
func (s *Store) prepare() (err error) {
	defer recoverDamage(&err)()
	// A file of an earlier version may lack buckets that came later.
	known, old := false, false
	err = s.db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if known = meta != nil; !known {
			if k, _ := tx.Cursor().First(); k != nil {
				return errDamaged
			}
			return nil
		}
		switch v := meta.Get(schemaKey); {
		case len(v) != 1 || v[0] == 0:
			return errors.New("its schema version is malformed")
		case v[0] > schemaVersion:
			return fmt.Errorf("%w of restante: its schema is %d and this program knows %d; use the newer version",
				host.ErrNewer, v[0], schemaVersion)
		}
		old = meta.Get(schemaKey)[0] < schemaVersion
		for _, name := range buckets() {
			if tx.Bucket(name) == nil && !old {
				return fmt.Errorf("%w: it has no %q", errDamaged, name)
			}
		}
		groups := tx.Bucket(groupsBucket)
		return groups.ForEachBucket(func(name []byte) error {
			state, err := decodeState(name, groups.Bucket(name).Get(stateKey))
			if err != nil {
				return fmt.Errorf("group %q: %w", name, err)
			}
			s.states[host.GroupName(name)] = state
			return nil
		})
	})
	if err != nil {
		return err
	}
	if known && !old {
		return nil
	}
	return s.db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		return meta.Put(schemaKey, []byte{schemaVersion})
	})
}

// Close commits what waits, writes the free pages and closes the file. Calls
// that come later fail with host.ErrClosed. Closing again does nothing.
func (s *Store) Close() error {
	s.queueMu.Lock()
	already := s.closed
	if !already {
		s.closed = true
		close(s.queue)
	}
	s.queueMu.Unlock()
	<-s.done
	if already {
		return nil
	}
	var err error
	if s.Failure() == nil {
		s.db.NoFreelistSync = false // however long the list is
		err = s.db.Update(func(tx *bolt.Tx) error {
			return tx.Bucket(metaBucket).Put(schemaKey, []byte{schemaVersion})
		})
		if isFull(err) {
			err = nil // the next start finds the free pages by itself
		}
	}
	s.unzip.Close()
	return errors.Join(err, s.zip.Close(), s.db.Close())
}

// Failure returns why the store takes no more writes, wrapping host.ErrFailed,
// or nil if it does.
func (s *Store) Failure() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// state returns the latest committed state of a group, which must not be
// changed.
func (s *Store) state(g host.GroupName) *host.State {
	s.statesMu.RLock()
	defer s.statesMu.RUnlock()
	if state := s.states[g]; state != nil {
		return state
	}
	return new(host.State)
}

// view reads from the file.
func (s *Store) view(read func(*bolt.Tx) error) error {
	err := s.db.View(read)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return host.ErrClosed
	}
	return err
}

// maxFreePages is up to how many free pages are listed in the file with every
// commit: four pages of the list.
const maxFreePages = 2000

// syncFreelist has the next commit write the list of free pages, or not. With
// the list in the file a start after a crash need not look at every page to
// find out which are free, nor a commit that failed. But a commit writes the
// whole list, so a long one, after much was pruned, is left out.
func (s *Store) syncFreelist() {
	stats := s.db.Stats()
	s.db.NoFreelistSync = stats.FreePageN+stats.PendingPageN > maxFreePages
}

// isFull reports whether writing ended for want of space. Only a write or a
// truncation can say so harmlessly: a sync that does may have lost pages that
// were written before.
func isFull(err error) bool {
	path, ok := errors.AsType[*os.PathError](err)
	return ok && (path.Op == "write" || path.Op == "truncate") &&
		(errors.Is(path.Err, syscall.ENOSPC) || errors.Is(path.Err, syscall.EDQUOT))
}

// plainError takes the path out of an error that is about to be named again.
func plainError(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
