package scaffold

import (
	"embed"
	"strings"
)

//go:embed templates
var templates embed.FS

// file is one file of a new repository.
type file struct {
	path     string
	template string // in the folder templates
}

// files returns the files for a group. The names of golden files are those
// that sdktest gives them.
func files(group string) []file {
	golden := "testdata/" + strings.ReplaceAll(group, ":", "_")
	return []file{
		{"main.go", "main.go.tmpl"},
		{"main_test.go", "main_test.go.tmpl"},
		{"samples.ndjson", "samples.ndjson.tmpl"},
		{golden + "-empty.csv", "empty.csv.tmpl"},
		{golden + "-empty.type", "golden.type.tmpl"},
		{golden + "-one.csv", "one.csv.tmpl"},
		{golden + "-one.type", "golden.type.tmpl"},
		{golden + "-samples.csv", "samples.csv.tmpl"},
		{golden + "-samples.type", "golden.type.tmpl"},
		{"Makefile", "Makefile.tmpl"},
		{"README.md", "README.md.tmpl"},
		{".gitignore", "gitignore.tmpl"},
		{"go.mod", "go.mod.tmpl"},
	}
}
