//go:build amd64 || arm64

package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestResolve(t *testing.T) {
	for _, test := range []struct{ line, want, fault string }{
		{line: "/bin/sh", want: "/bin/sh"},
		{line: " /bin/sh ", want: "/bin/sh"},
		{line: "/bin/sh -e -u", want: "/bin/sh|-e -u"}, // as the kernel does
		{line: "/usr/bin/env sh", want: "*/sh"},
		{line: "/usr/bin/env -S sh -e -u", want: "*/sh|-e|-u"},
		{line: "/usr/bin/env sh -e", fault: "is not understood"},
		{line: "/usr/bin/env -i sh", fault: "is not understood"},
		{line: "/usr/bin/env A=b sh", fault: "is not understood"},
		{line: "/usr/bin/env", fault: "is not understood"},
		{line: "/usr/bin/env no-such-program", fault: "is not installed"},
		{line: "/no/such/program", fault: "no such file"},
		{line: "/etc/passwd", fault: "is not an executable"},
		{line: "", fault: "names no interpreter"},
		{line: "/bin/sh\r", fault: "carriage return"},
	} {
		got, err := resolve(test.line)
		if test.fault != "" {
			if err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("resolve(%q) = %q, %v, want an error with %q", test.line, got, err, test.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("resolve(%q): %v", test.line, err)
			continue
		}
		text := strings.Join(got, "|")
		if end, anywhere := strings.CutPrefix(test.want, "*"); text != test.want && (!anywhere || !strings.HasSuffix(strings.Replace(text, filepath.Dir(got[0]), "", 1), end)) {
			t.Errorf("resolve(%q) = %q, want %q", test.line, text, test.want)
		}
	}
}

func TestInspect(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := inspect(write("text", "no program"), nil); err != unix.ENOEXEC {
		t.Errorf("inspect of a text = %v, want %v", err, unix.ENOEXEC)
	}
	if got, err := inspect("/bin/sh", nil); err != nil || !got.shared || got.interpreter != nil {
		t.Errorf("inspect of /bin/sh = %+v, %v", got, err)
	}
	if got, err := inspect(write("script", "#!/bin/sh -e\nexit"), nil); err != nil || !got.shared || len(got.interpreter) != 2 {
		t.Errorf("inspect of a script = %+v, %v", got, err)
	}
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	script := write("far", "#!"+write("shell", string(shell))+"\n")
	if got, err := inspect(script, nil); err == nil || !strings.Contains(err.Error(), "outside of what plugins may read") {
		t.Errorf("inspect of a script with an interpreter far off = %+v, %v", got, err)
	}
	if _, err := inspect(script, []string{folder}); err != nil {
		t.Errorf("inspect of a script with a readable interpreter: %v", err)
	}
	if _, err := inspect(write("long", "#!"+strings.Repeat("/", 300)), nil); err == nil {
		t.Error("inspect of a script with a long first line: no error")
	}
	if _, err := inspect(write("damaged", "\x7fELF and no more"), nil); err != nil {
		t.Errorf("inspect of a damaged executable: %v; the kernel will say so", err)
	}
}

func TestRemedyNamespaces(t *testing.T) {
	for _, test := range []struct{ file, value, want string }{
		{"user/max_user_namespaces", "0\n", "user.max_user_namespaces=15000"},
		{"kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone=1"},
		{"kernel/apparmor_restrict_unprivileged_userns", "1\n", "kernel.apparmor_restrict_unprivileged_userns=0"},
		{"user/max_user_namespaces", "9000\n", "in a container"},
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, test.file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(test.value), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := remedyNamespaces(folder); !strings.Contains(got, test.want) {
			t.Errorf("with %s %q the remedy is %q, want %q", test.file, test.value, got, test.want)
		}
	}
}
