package scaffold

import (
	"embed"
	"path"
	"strings"
)

// The Python and Node.js helpers are here and nowhere else: examples/python and
// examples/node are built with them.
//
//go:embed templates
var templates embed.FS

// file is one file of a new repository.
type file struct {
	path string
	// source is in the folder templates. It is a template if its name ends in
	// .tmpl, and else copied as it is.
	source string
}

// files returns the files for a language and a group. The names of golden files
// are those that sdktest gives them.
func files(l Language, group string) []file {
	own := func(name, source string) file { return file{name, path.Join(string(l), source)} }
	all := []file{
		own("Makefile", "Makefile.tmpl"),
		own("README.md", "README.md.tmpl"),
		own(".gitignore", "gitignore.tmpl"),
		{"samples.ndjson", "samples.ndjson"},
	}
	switch l {
	case Python:
		return append(all,
			own("plugin.py", "plugin.py.tmpl"),
			own("restante_plugin.py", "restante_plugin.py"),
			file{"formatter.proto", "formatter.proto"},
		)
	case Node:
		return append(all,
			own("plugin.js", "plugin.js.tmpl"),
			own("restante-plugin.js", "restante-plugin.js"),
			own("package.json", "package.json"),
			own("package-lock.json", "package-lock.json"),
			file{"formatter.proto", "formatter.proto"},
		)
	}
	golden := "testdata/" + strings.ReplaceAll(group, ":", "_")
	return append(all,
		own("main.go", "main.go.tmpl"),
		own("main_test.go", "main_test.go.tmpl"),
		own("go.mod", "go.mod.tmpl"),
		own(golden+"-empty.csv", "empty.csv.tmpl"),
		own(golden+"-empty.type", "golden.type.tmpl"),
		own(golden+"-one.csv", "one.csv.tmpl"),
		own(golden+"-one.type", "golden.type.tmpl"),
		own(golden+"-samples.csv", "samples.csv.tmpl"),
		own(golden+"-samples.type", "golden.type.tmpl"),
	)
}
