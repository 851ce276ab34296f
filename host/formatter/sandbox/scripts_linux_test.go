//go:build amd64 || arm64

package sandbox_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/restante/restante/host/formatter/sandbox"
)

// TestScripts runs scripts of several languages. They must start threads and
// read their libraries, and can neither start programs nor read files.
func TestScripts(t *testing.T) {
	for _, script := range []struct{ name, interpreter, text, want string }{
		{"shell", "sh", "#!/bin/sh -e\necho $0 $TMPDIR\nif read line < /etc/passwd; then echo open; fi\n", "SCRIPT DIR"},
		{"env", "sh", "#!/usr/bin/env sh\necho hello\n", "hello"},
		{"python", "python3", `#!/usr/bin/env python3
import json, socket, threading, subprocess, os
t = threading.Thread(target=lambda: print("thread", flush=True)); t.start(); t.join()
for attempt in (lambda: open("/etc/passwd"), lambda: socket.create_connection(("127.0.0.1", 9)),
                lambda: subprocess.run(["/bin/true"]), lambda: os.fork()):
    try: attempt(); print("open")
    except OSError: pass
s = socket.socket(socket.AF_UNIX); s.bind(os.environ["TMPDIR"] + "/s"); s.listen()
print(json.dumps(__file__))
`, "thread\n\"SCRIPT\""},
		{"node", "node", `#!/usr/bin/env node
const fs = require("fs"), net = require("net"), child = require("child_process");
try { fs.readFileSync("/etc/passwd"); console.log("open"); } catch {}
if (!child.spawnSync("/bin/true").error) console.log("open");
const server = net.createServer().listen(process.env.TMPDIR + "/s", () => { console.log(__filename); server.close(); });
`, "SCRIPT"},
	} {
		if !installed(script.interpreter) {
			t.Logf("%s is not installed", script.interpreter)
			continue
		}
		for name, support := range tiers(t) {
			t.Run(script.name+", "+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "script")
				if err := os.WriteFile(path, []byte(script.text), 0o700); err != nil {
					t.Fatal(err)
				}
				r := begin(t, support, path, "")
				r.Env = append(r.Env, "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/")
				if err := r.finish(t.Context()); err != nil {
					t.Fatalf("%v: %s", err, r.stderr.String())
				}
				want := strings.NewReplacer("SCRIPT", path, "DIR", r.dir).Replace(script.want)
				if got := strings.TrimSpace(r.stdout.String()); got != want {
					t.Errorf("it printed %q, want %q; %s", got, want, r.stderr.String())
				}
			})
		}
	}
}

func installed(name string) bool {
	for _, folder := range []string{"/usr/bin", "/bin", "/usr/local/bin"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return true
		}
	}
	return false
}

// TestSharedLibraries runs an executable that needs the system's loader.
func TestSharedLibraries(t *testing.T) {
	for name, support := range tiers(t) {
		r := begin(t, support, "/bin/echo", "")
		if err := r.finish(t.Context()); err != nil || r.stdout.String() != "\n" {
			t.Errorf("%s: %v, %q, %s", name, err, r.stdout.String(), r.stderr.String())
		}
	}
}

// TestProbeWithheld probes where user namespaces are switched off.
func TestProbeWithheld(t *testing.T) {
	if err := probeable(t); err != nil {
		t.Skipf("no user namespaces here: %v", err)
	}
	cmd := daemon(t, "probe-withheld", false)
	own := os.Geteuid()
	if own == 0 {
		own = 65534
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// Nobody starts as root of a user namespace, where a limit of its own can
	// be set.
	cmd.SysProcAttr.Credential = nil
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: own, Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: own, Size: 1}}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 0, Gid: 0, NoSetGroups: true}
	}
	var said bytes.Buffer
	cmd.Stdout = &said
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	tier, missing, _ := strings.Cut(said.String(), "\n")
	if tier != string(sandbox.NoNamespaces) || !strings.Contains(missing, "set sysctl user.max_user_namespaces=15000") || !strings.Contains(missing, "namespaces (start in new namespaces: ") {
		t.Errorf("Probe found tier %q: %s", tier, missing)
	}
}

func probeable(t *testing.T) error {
	cmd := exec.CommandContext(t.Context(), "/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	return cmd.Run()
}

// BenchmarkStart measures a start to the first word of the program.
func BenchmarkStart(b *testing.B) {
	support := probe(b)
	for _, bench := range []struct {
		name string
		mode sandbox.Mode
	}{{"off", sandbox.Off}, {"enforce", sandbox.Enforce}} {
		b.Run(bench.name, func(b *testing.B) {
			if bench.mode == sandbox.Enforce && support.Missing() != nil {
				b.Skip(support.Missing())
			}
			path, dir := programPath(b), shortFolder(b)
			for b.Loop() {
				r, err := prepare(support, sandbox.Config{Mode: bench.mode}, path, dir, "open")
				if err != nil {
					b.Fatal(err)
				}
				if err := r.finish(b.Context()); err != nil || r.stdout.String() != "open\n" {
					b.Fatal(err, r.stderr.String())
				}
			}
		})
	}
}
