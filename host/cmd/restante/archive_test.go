package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/restante/restante/host/app"
)

// TestArchive moves a store, exported with a daemon and without one.
func TestArchive(t *testing.T) {
	d := newDaemon(t)
	d.start()
	must(t, "1\n[ 2 ]\n", "add", "plain", "--data", d.data, "--key", "k")
	must(t, "", "messages", "hold", "plain", "1", "--data", d.data)
	key := strings.TrimSpace(must(t, "", "keys", "create", "--group", "plain", "--allow", "poll", "--data", d.data))
	folder := t.TempDir()
	for _, mode := range []string{"with a daemon", "without a daemon"} {
		if mode == "without a daemon" {
			d.stop(syscall.SIGTERM)
		}
		file, data := filepath.Join(folder, mode), filepath.Join(folder, "data "+mode)
		if out := must(t, "", "export", file, "--data", d.data); out != "Exported 2 messages.\n" {
			t.Errorf("%s, export prints %q", mode, out)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the archive is %v, %v", info.Mode(), err)
		}
		if out := must(t, "", "import", file, "--data", data); out != "Imported 2 messages.\n" {
			t.Errorf("%s, import prints %q", mode, out)
		}
		must(t, "", "verify", "--data", data)
		for want, args := range map[string][]string{
			"plain":               {"queues"},
			"held":                {"messages", "list", "plain"},
			key[3:11]:             {"keys", "list"},
			"everything exported": {"audit", "list"},
			"everything imported": {"audit", "list"},
		} {
			if out := must(t, "", append(args, "--data", data)...); !strings.Contains(out, want) {
				t.Errorf("%s, %q of the copy prints %q, want %q", mode, args, out, want)
			}
		}
		if out := must(t, "[ 2 ]", "add", "plain", "--data", data); out != "3\n" {
			t.Errorf("%s, add to the copy prints %q", mode, out)
		}
		for want, args := range map[string][]string{
			"exists already":          {"export", file, "--data", data},
			"there is a store in":     {"import", file, "--data", data},
			"not an archive that can": {"import", filepath.Join(data, "restante.db"), "--data", folder + "/other"},
		} {
			if _, out, err := run(t, "", args...); err == nil || !strings.Contains(out, want) {
				t.Errorf("%s, %q = %v %q, want %q", mode, args, err, out, want)
			}
		}
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 4 {
		t.Errorf("the folder has %v", entries)
	}
}

// TestArchiveIntoSharedStore imports by way of a daemon whose store others may share,
// and of one whose store is its own.
func TestArchiveIntoSharedStore(t *testing.T) {
	d := newDaemon(t)
	d.start()
	must(t, "1\n2\n3\n", "add", "plain", "--data", d.data)
	must(t, "", "messages", "hold", "plain", "1", "--data", d.data)
	folder := t.TempDir()
	good := filepath.Join(folder, "good")
	must(t, "", "export", good, "--data", d.data)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)-1] ^= 1 // of the checksum
	damaged := filepath.Join(folder, "damaged")
	if err := os.WriteFile(damaged, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := func(file string, to *daemon, want ...string) {
		t.Helper()
		before := must(t, "", "messages", "list", "plain", "--data", to.data)
		_, out, err := run(t, "", "import", file, "--data", to.data)
		for _, want := range want {
			if err == nil || !strings.Contains(out, want) {
				t.Errorf("import = %v %q, want %q", err, out, want)
			}
		}
		if after := must(t, "", "messages", "list", "plain", "--data", to.data); after != before {
			t.Errorf("after a refused import there is %q, before %q", after, before)
		}
	}
	refused(good, d, "whose store is its own", "hint: import into a new folder")

	shared := newDaemon(t)
	text := "queue \"plain\" {}\nstore \"cluster\" { node = \"a\" }\n"
	if err := os.WriteFile(shared.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	shared.start()
	refused(damaged, shared, "cut short or damaged")
	file, err := os.Open(good)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var steps []string
	if _, err := app.Import(t.Context(), shared.data, file, func(step string) { steps = append(steps, step) }); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(steps, "\n"); !strings.Contains(text, "checking: 1 of 3 messages") || !strings.Contains(text, "importing: 0.0 of 0.0 MiB") {
		t.Errorf("the progress is %q", steps)
	}
	want := must(t, "", "messages", "list", "plain", "--data", d.data)
	if got := must(t, "", "messages", "list", "plain", "--data", shared.data); got != want {
		t.Errorf("the copy lists %q, want %q", got, want)
	}
	refused(good, shared, "the store is not empty", "hint: an import needs a store that nothing was added to")
	shared.stop(syscall.SIGTERM)
	shared.start()
	if out := must(t, "4", "add", "plain", "--data", shared.data); out != "4\n" {
		t.Errorf("add to the copy prints %q", out)
	}
}
