package sdktest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restante/restante/sdk"
)

var update = updateFlag()

// updateFlag adds -update, or takes the flag of a package that was there first.
func updateFlag() flag.Value {
	if f := flag.Lookup("update"); f != nil {
		return f.Value
	}
	flag.Bool("update", false, "write the golden files anew")
	return flag.Lookup("update").Value
}

func updating() bool { return update.String() == "true" }

// compareGolden compares a document with its golden files: NAME and the file
// name's ending for the body, NAME.type for the content type and the file name.
func compareGolden(t testing.TB, dir, name string, d sdk.Document) {
	t.Helper()
	ending := filepath.Ext(d.Filename)
	if ending == "" {
		ending = ".golden"
	}
	about := fmt.Sprintf("Content-Type: %s\nFilename: %s\n", d.ContentType, d.Filename)
	path := filepath.Join(dir, strings.ReplaceAll(name, ":", "_"))
	compareFile(t, path+".type", []byte(about))
	compareFile(t, path+ending, d.Body)
}

func compareFile(t testing.TB, path string, got []byte) {
	t.Helper()
	if updating() {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatalf("update golden file: %v", err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatalf("update golden file: %v", err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("read golden file: %v\nRun the test with -update to write it, and look at what it wrote.", err)
		return
	}
	if !bytes.Equal(got, want) {
		t.Errorf("not as in the golden file %s:\n%s\nIf the change is intended, run the test with -update.",
			path, difference(got, want))
	}
}
