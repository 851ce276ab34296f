package app_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/restante/restante/"

// mayImport says which folders of the module a folder may import, tests and
// the folders below it left out. Where a folder is not named, the longest name
// that it lies under holds.
var mayImport = map[string][]string{
	"proto":                  {"proto"},
	"sdk":                    {"sdk", "proto"},
	"plugins":                {"sdk"},
	"examples":               {"sdk"},
	"host":                   {},
	"host/storetest":         {"host"},
	"host/clustertest":       {},
	"host/boltstore":         {"host"},
	"host/natsstore":         {"host"},
	"host/cluster":           {},
	"host/api":               {"host"},
	"host/admin":             {"host"},
	"host/archive":           {"host"},
	"host/control":           {"host"},
	"host/metrics":           {"host"},
	"host/sender":            {"host", "host/sender/endpoint"},
	"host/formatter":         {"host", "host/formatter", "host/formatter/process", "host/formatter/purity", "host/formatter/sandbox"},
	"host/formatter/check":   {"host", "host/formatter/process", "host/formatter/purity", "host/formatter/sandbox"},
	"host/formatter/sandbox": {},
	"host/formatter/purity":  {"host", "host/formatter/process"},
	"host/formatter/process": {"host", "host/formatter/process", "proto"},
	"host/password":          {},
	"host/oidc":              {"host"},
	"host/sender/endpoint":   {"host"},
	"host/scaffold":          {},
	"host/app":               {"host", "host/scaffold", "host/archive", "host/admin", "host/api", "host/boltstore", "host/cluster", "host/control", "host/formatter", "host/metrics", "host/natsstore", "host/oidc", "host/password", "host/sender"},
	"host/cmd":               {"host", "host/app", "host/control"},
	"host/loopback":          {},
	"bench":                  {"host", "host/boltstore", "host/control", "host/loopback"},
}

// TestImports holds the house in order: host and sdk never import each other
// and meet at proto, the parts under host import host and never one another,
// only app sees them all, and host itself needs the standard library alone.
func TestImports(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(out)))
	packages := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages++
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, path := range p.Imports {
			to, ours := strings.CutPrefix(path, module)
			if !ours {
				if from == "host" && strings.Contains(strings.Split(path, "/")[0], ".") {
					t.Errorf("host imports %s, which is not of the standard library", path)
				}
				continue
			}
			allowed, known := rule(from)
			if !known {
				t.Errorf("no rule says what %s may import: add one", from)
			} else if !slices.ContainsFunc(allowed, func(a string) bool { return to == a || a != "host" && strings.HasPrefix(to, a+"/") }) {
				t.Errorf("%s imports %s", from, to)
			}
		}
	}
	if packages < 10 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

func rule(from string) (allowed []string, known bool) {
	for dir := from; ; {
		if allowed, known = mayImport[dir]; known {
			return allowed, true
		}
		up := strings.LastIndexByte(dir, '/')
		if up < 0 {
			return nil, false
		}
		dir = dir[:up]
	}
}
