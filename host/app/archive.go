package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/archive"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/control"
)

// ArchiveProgress is how far an export or import is, and Exported what an export has.
type (
	ArchiveProgress = archive.Progress
	Exported        = archive.Exported
)

// export writes an archive of a daemon's store for a command, and returns what it has
// as JSON.
func (d *daemon) export(ctx context.Context, w io.Writer, withoutDamaged bool) (json.RawMessage, error) {
	done, err := archive.Export(ctx, d.parts.store, w, archive.ExportOptions{Now: time.Now(), WithoutDamaged: withoutDamaged})
	if err != nil {
		return nil, err
	}
	return json.Marshal(done)
}

// importShared puts an archive into a store that daemons share, for a command. A store
// of the daemon's own is imported into while no daemon runs.
func (d *daemon) importShared(ctx context.Context, r io.Reader) error {
	if !d.config.Store.shared() {
		return errors.New("a daemon runs on this data folder, whose store is its own: import into a new folder with --data")
	}
	_, err := archive.Import(ctx, d.parts.store, r, nil)
	if err != nil && !errors.Is(err, host.ErrNotEmpty) {
		err = fmt.Errorf("%w; %w any more, as it may have a part of it", err, host.ErrNotEmpty)
	}
	return err
}

// Export writes an archive of the store of a data folder, by way of the daemon if one
// runs. Progress is told how far it is, which a daemon does not say.
func Export(ctx context.Context, data string, w io.Writer, withoutDamaged bool, progress func(ArchiveProgress)) (done Exported, err error) {
	client := control.Dial(data)
	defer client.Close()
	if _, err := client.Status(ctx); err == nil {
		text, err := client.Export(ctx, w, withoutDamaged)
		if err == nil {
			err = json.Unmarshal(text, &done)
		}
		return done, err
	} else if !control.Absent(err) {
		return done, err
	}
	if err := errors.Join(hasStore(data), openable(data)); err != nil {
		return done, err
	}
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(data, StoreName)})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := host.NewAudit(store).Record(ctx, control.LocalEntry("everything exported")); err != nil {
		return done, err
	}
	return archive.Export(ctx, store, w, archive.ExportOptions{Now: time.Now(), WithoutDamaged: withoutDamaged, Progress: progress})
}

// Import puts an archive into the store of a data folder: into a new one or, by way of
// the daemon, into one that daemons share. The archive is read to its end before
// anything is changed. Progress is told in words how far it is.
func Import(ctx context.Context, data string, file *os.File, progress func(string)) (done ArchiveProgress, err error) {
	client := control.Dial(data)
	defer client.Close()
	_, err = client.Status(ctx)
	running := err == nil
	if !running && !control.Absent(err) {
		return done, err
	}
	path := filepath.Join(data, StoreName)
	if running && storeOf(data) == boltKind {
		return done, &HintError{
			Err:  fmt.Errorf("a daemon runs on the data folder %s, whose store is its own", data),
			Hint: "import into a new folder with --data; only a store that daemons share is imported into while they run",
		}
	}
	if !running {
		if err := openable(data); err != nil {
			return done, err
		}
		if _, err := os.Stat(path); err == nil {
			return done, &HintError{Err: fmt.Errorf("there is a store in the data folder %s already", data), Hint: "name a new folder with --data"}
		}
	}
	if done, err = archive.Check(ctx, file, func(p archive.Progress) { progress("checking: " + p.String()) }); err != nil {
		return done, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return done, fmt.Errorf("read the archive again: %w", err)
	}
	if running {
		return done, send(ctx, client, file, progress)
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return done, fmt.Errorf("make the data folder: %w", err)
	}
	if err := checkPrivate(data); err != nil {
		return done, err
	}
	return done, importNew(ctx, path, file, progress)
}

// send has the daemon import an archive. It reads as it writes, so what was sent says
// how far it is.
func send(ctx context.Context, client *control.Client, file *os.File, progress func(string)) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read the archive again: %w", err)
	}
	all := float64(info.Size()) / (1 << 20)
	return client.Import(ctx, &counted{file, func(sent int64) { progress(fmt.Sprintf("importing: %.1f of %.1f MiB", float64(sent)/(1<<20), all)) }, 0})
}

// counted is a reader that tells how many bytes were read.
type counted struct {
	io.Reader
	tell func(int64)
	read int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.read += int64(n)
	c.tell(c.read)
	return n, err
}

// importNew makes a store, which has its name only when all is in it.
func importNew(ctx context.Context, path string, file io.Reader, progress func(string)) (err error) {
	part := path + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	defer os.Remove(part)
	store, err := boltstore.Open(boltstore.Config{Path: part})
	if err != nil {
		return err
	}
	_, err = archive.Import(ctx, store, file, func(p archive.Progress) { progress("importing: " + p.String()) })
	if err == nil {
		err = host.NewAudit(store).Record(ctx, control.LocalEntry("everything imported"))
	}
	if err = errors.Join(err, store.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder has the names in a folder on disk, where a system knows that.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && modesWork {
		return fmt.Errorf("sync the data folder: %w", err)
	}
	return nil
}
