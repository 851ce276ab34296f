//go:build unix

package process_test

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

const goPlugin = "github.com/hashicorp/go-plugin"

// TestPluginsOfOtherLibraryVersions builds one plugin with old versions of
// go-plugin and with the one that we build with. An operator updates the daemon
// and goes on using plugins that were built years ago; 1.4.10
// does not know PLUGIN_UNIX_SOCKET_DIR and only heeds TMPDIR.
func TestPluginsOfOtherLibraryVersions(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds a plugin five times, with modules from the network when they are not cached")
	}
	// More than the 4 MiB that a gRPC server takes unless told otherwise.
	large := host.Batch{Group: "csv", Token: "T"}
	for i := range 6 {
		data := `{"a":"` + strings.Repeat("x", 1<<20) + `"}`
		large.Messages = append(large.Messages, host.Message{ID: host.ID(i + 1), Time: time.Unix(1550239321, 0), Data: []byte(data)})
	}
	small := host.Batch{Group: "csv", Token: "T", Messages: []host.Message{{ID: 7, Time: time.Unix(1550239321, 0), Data: []byte(`{"a":"ü","b":1.50}`)}}}
	const want = "id,datetime,a,b\r\n7,2019-02-15T14:02:01Z,ü,1.50\r\n"

	for _, version := range []string{"v1.4.10", "v1.5.2", "v1.6.3", "v1.7.0", ""} {
		name := version
		if name == "" {
			name = "ours"
		}
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.config.Path = buildWith(t, version)
			p := b.start()
			d, err := p.Discover(t.Context())
			if err != nil || d.Name != "csv" || len(d.Groups) != 1 || d.Groups[0].Name != "csv" {
				t.Errorf("Discover() = %+v, %v", d, err)
			}
			doc, _, err := p.WriteMessages(t.Context(), small)
			if err != nil || string(doc.Body) != want {
				t.Errorf("WriteMessages() = %q, %v, want %q", doc.Body, err, want)
			}
			if doc, _, err = p.WriteMessages(t.Context(), large); err != nil || bytes.Count(doc.Body, []byte("\r\n")) != 7 {
				t.Errorf("WriteMessages() of a large batch = %d bytes, %v", len(doc.Body), err)
			}
			if err := p.Stop(context.Background()); err != nil {
				t.Error(err)
			}
			if exit := p.Exit(); exit.Code != 0 || exit.Killed != "" {
				t.Errorf("Stop: %s", exit)
			}
		})
	}
}

// buildWith builds the csv plugin with a version of go-plugin, or with ours if
// it is empty. Only a copy of go.mod is changed.
func buildWith(t *testing.T, version string) string {
	t.Helper()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	folder := t.TempDir()
	mod := filepath.Join(folder, "old.mod")
	root := filepath.Dir(run("env", "GOMOD"))
	for from, to := range map[string]string{"go.mod": "old.mod", "go.sum": "old.sum"} {
		text, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, to), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ours := run("list", "-m", "-f", "{{.Version}}", goPlugin)
	want := ours
	if version != "" {
		want = version
		run("mod", "edit", "-replace="+goPlugin+"="+goPlugin+"@"+version, mod)
	}
	path := filepath.Join(folder, "csv")
	run("build", "-modfile="+mod, "-mod=mod", "-o", path, "github.com/restante/restante/plugins/csv")
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range info.Deps {
		if dep.Path != goPlugin {
			continue
		}
		got := dep.Version
		if dep.Replace != nil {
			got = dep.Replace.Version
		}
		if got != want {
			t.Fatalf("the plugin was built with go-plugin %s, want %s", got, want)
		}
		return path
	}
	t.Fatal("go-plugin is not in the plugin")
	return ""
}
