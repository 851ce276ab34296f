package scaffold

import (
	"bytes"
	"errors"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOtherLanguages sees that the files are whole, for names of any length. The
// commands' tests build them.
func TestOtherLanguages(t *testing.T) {
	for _, l := range []Language{Python, Node} {
		for _, name := range []string{"a", strings.Repeat("long.name-", 6) + "x"} {
			dir := filepath.Join(t.TempDir(), "new")
			r, err := Write(Config{Language: l, Name: name, Dir: dir, Group: name + ":all"})
			if err != nil {
				t.Fatal(err)
			}
			if r.Language != l || len(r.Files) < 7 {
				t.Errorf("Write = %+v", r)
			}
			for _, f := range r.Files {
				text, err := os.ReadFile(filepath.Join(dir, f))
				if err != nil || !bytes.HasSuffix(text, []byte("\n")) || bytes.Contains(text, []byte("{{")) || bytes.Contains(text, []byte("<no value>")) {
					t.Errorf("%s is %.500q, %v", f, text, err)
				}
			}
		}
	}
}

// TestContract holds the embedded copy of the contract, which can't be embedded
// from where it is, to the contract.
func TestContract(t *testing.T) {
	const original = "../../proto/formatter/v1/formatter.proto"
	want, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := templates.ReadFile("templates/formatter.proto"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("templates/formatter.proto is not %s (%v): run \"make contract\"", original, err)
	}
}

// TestFormatted holds the templates to gofmt, for names of any length.
func TestFormatted(t *testing.T) {
	for _, name := range []string{"a", "student-records", strings.Repeat("long.name-", 6) + "x"} {
		dir := filepath.Join(t.TempDir(), "new")
		r, err := Write(Config{Name: name, Dir: dir, Group: name + ":all", Checkout: "/src/restante"})
		if err != nil {
			t.Fatal(err)
		}
		if r.Dir != dir || r.Name != name || r.Group != name+":all" {
			t.Errorf("Write = %+v", r)
		}
		sources := 0
		for _, f := range r.Files {
			text, err := os.ReadFile(filepath.Join(dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasSuffix(text, []byte("\n")) || bytes.HasSuffix(text, []byte("\n\n")) || bytes.Contains(text, []byte("<no value>")) {
				t.Errorf("%s is %q", f, text)
			}
			if !strings.HasSuffix(f, ".go") {
				continue
			}
			sources++
			if want, err := format.Source(text); err != nil || !bytes.Equal(text, want) {
				t.Errorf("%s is not formatted (%v):\n%s", f, err, text)
			}
		}
		if sources != 2 {
			t.Errorf("there are %d Go files, want 2", sources)
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(Config{Name: "a", Dir: dir}); !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Write to a folder with a file = %v, want ErrNotEmpty and the folder's name", err)
	}
	if _, err := Write(Config{Name: "a", Dir: kept}); err == nil {
		t.Error("Write to a file: no error")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
	if _, err := Write(Config{Name: "a", Dir: t.TempDir()}); err != nil {
		t.Errorf("Write to an empty folder: %v", err)
	}
}

func TestBadNames(t *testing.T) {
	for name, c := range map[string]Config{
		"empty":            {},
		"path":             {Name: "../a"},
		"option":           {Name: "-a"},
		"dot at the end":   {Name: "a."},
		"too long":         {Name: strings.Repeat("a", 65)},
		"template":         {Name: "a{{.}}"},
		"group":            {Name: "a", Group: "b c"},
		"language":         {Name: "a", Language: "cobol"},
		"module, Python":   {Name: "a", Language: Python, Module: "example.com/a"},
		"module, space":    {Name: "a", Module: "example.com/a b"},
		"module, slash":    {Name: "a", Module: "example.com/a/"},
		"module, dots":     {Name: "a", Module: "example.com/../a"},
		"module, standard": {Name: "a", Module: "fmt"},
		"module, ours":     {Name: "a", Module: "github.com/restante/restante/plugins/a"},
	} {
		t.Run(name, func(t *testing.T) {
			c.Dir = filepath.Join(t.TempDir(), "new")
			if _, err := Write(c); !errors.Is(err, ErrBadName) {
				t.Errorf("Write(%+v) = %v, want ErrBadName", c, err)
			}
			if _, err := os.Stat(c.Dir); err == nil {
				t.Error("the folder was made")
			}
		})
	}
}

func TestModuleFile(t *testing.T) {
	base := t.TempDir()
	for name, test := range map[string]struct {
		c    Config
		want string
	}{
		"release":        {Config{Version: "v1.2.3"}, "require github.com/restante/restante v1.2.3\n"},
		"pre-release":    {Config{Version: "v1.2.3-rc.1"}, "restante v1.2.3-rc.1\n"},
		"described":      {Config{Version: "v1.2.3-14-g0123abc-dirty"}, "restante v1.2.3\n"},
		"pseudo-version": {Config{Version: "v0.0.0-20260102030405-0123456789ab+dirty"}, "restante v0.0.0-20260102030405-0123456789ab\n"},
		"development":    {Config{Version: "development"}, "module example.com/a\n\ngo 1.26.0\n"},
		"checkout":       {Config{Checkout: "/src/restante", Version: "v1.2.3"}, "restante v0.0.0\n\nreplace github.com/restante/restante => /src/restante\n"},
		"with a space":   {Config{Checkout: "/my src/restante"}, `=> "/my src/restante"` + "\n"},
		"inside":         {Config{Checkout: base, Dir: filepath.Join(base, "x", "y")}, "=> ../..\n"},
		"own module":     {Config{Module: "acme.example/p", Version: "v1.0.0"}, "module acme.example/p\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.c
			c.Name = "a"
			if c.Dir == "" {
				c.Dir = filepath.Join(t.TempDir(), "new")
			}
			if _, err := Write(c); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(c.Dir, "go.mod"))
			if err != nil || !strings.Contains(string(text), test.want) {
				t.Errorf("go.mod is %s, %v, want %q in it", text, err, test.want)
			}
			if name == "development" && string(text) != test.want {
				t.Errorf("go.mod is %s, want no more than %q", text, test.want)
			}
		})
	}
}

func TestFindCheckout(t *testing.T) {
	base := t.TempDir()
	inner := filepath.Join(base, "ours", "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(dir, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(base, "ours"), "// A comment\nmodule github.com/restante/restante // ours\n")
	write(inner, "module example.com/nested\n\nrequire github.com/restante/restante v1.0.0\n")
	if got, err := FindCheckout(inner); err != nil || got != filepath.Join(base, "ours") {
		t.Errorf("FindCheckout inside = %q, %v", got, err)
	}
	if got, err := FindCheckout(base); err != nil || got != "" {
		t.Errorf("FindCheckout outside = %q, %v", got, err)
	}
}
