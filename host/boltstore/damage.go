package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

var errDamaged = errors.New("it is damaged, or not a store")

// openFile opens a bbolt file. A file that is damaged, such as a backup that was
// cut short, is an error and not the end of the program: bbolt itself would read
// beyond the end of the file, or panic.
func openFile(path string, options *bolt.Options) (db *bolt.DB, err error) {
	if err := checkSize(path); err != nil {
		return nil, err
	}
	defer recoverDamage(&err)()
	return bolt.Open(path, 0o600, options)
}

// recoverDamage turns a panic, or a fault in the mapped file, into an error.
// Call what it returns at the end of what may panic.
func recoverDamage(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if cause := recover(); cause != nil {
			*err = fmt.Errorf("%w: %v", errDamaged, cause)
		}
	}
}

// A bbolt file begins with two pages of metadata. These are the offsets within
// each, behind a header of 16 bytes; the newer one has the larger transaction.
const (
	metaHeader    = 16
	metaMagic     = metaHeader + 0
	metaPageSize  = metaHeader + 8
	metaHighWater = metaHeader + 40 // the first page that was never used
	metaTxID      = metaHeader + 48
	metaSize      = metaHeader + 64
	magic         = 0xED0CDAED
)

// checkSize returns an error if the file is shorter than its metadata says.
// What has no metadata is left to bbolt.
func checkSize(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil // new, or bbolt says why not
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	var newest, need uint64
	for at, first := int64(0), true; ; first = false {
		page := make([]byte, metaSize)
		if _, err := f.ReadAt(page, at); errors.Is(err, io.EOF) && !first {
			return fmt.Errorf("%w: it ends within its first pages", errDamaged)
		} else if err != nil {
			return nil
		}
		if binary.NativeEndian.Uint32(page[metaMagic:]) != magic {
			return nil
		}
		size := uint64(binary.NativeEndian.Uint32(page[metaPageSize:]))
		if tx := binary.NativeEndian.Uint64(page[metaTxID:]); first || tx > newest {
			newest, need = tx, size*binary.NativeEndian.Uint64(page[metaHighWater:])
		}
		if !first {
			break
		}
		at = int64(size)
	}
	if uint64(info.Size()) < need {
		return fmt.Errorf("%w: it has %d bytes, and should have %d or more", errDamaged, info.Size(), need)
	}
	return nil
}
