//go:build unix

package plugintest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Spec says what a plugin is.
type Spec struct {
	Name    string
	Version string
	Groups  []string
	// Start is how it starts; "" is properly. See start.
	Start string
	// Mode is what it does wrong once it has started; "" is nothing. See
	// newHostile.
	Mode string
	// Settings declares the setting "mode", a string.
	Settings bool
}

const trailer = "\nrestante test plugin"

// Install writes a plugin to folder/file by way of a rename, as an operator
// should, and returns its path.
func Install(t testing.TB, folder, file string, spec Spec) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.CreateTemp(folder, "*.tmp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	text = binary.BigEndian.AppendUint32(text, uint32(len(text)))
	if _, err := out.Write(append(text, trailer...)); err != nil {
		t.Fatal(err)
	}
	if err := out.Chmod(0o755); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, file)
	if err := os.Rename(out.Name(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// WriteFile writes a file of any kind with the mode of a program.
func WriteFile(t testing.TB, folder, file string, content []byte) string {
	t.Helper()
	path := filepath.Join(folder, file)
	if err := os.WriteFile(path+".tmp", content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// spec reads what is behind the end of the running program.
func spec() (s Spec, found bool) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		path, _ := os.Executable()
		if f, err = os.Open(path); err != nil {
			return s, false
		}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return s, false
	}
	end := make([]byte, 4+len(trailer))
	if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err != nil || !bytes.HasSuffix(end, []byte(trailer)) {
		return s, false
	}
	text := make([]byte, binary.BigEndian.Uint32(end))
	if _, err := f.ReadAt(text, info.Size()-int64(len(end)+len(text))); err != nil {
		return s, false
	}
	return s, json.Unmarshal(text, &s) == nil
}
