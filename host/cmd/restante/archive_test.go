package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
