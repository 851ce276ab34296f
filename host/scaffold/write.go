package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// Repository is what was written.
type Repository struct {
	// Dir is the folder, as an absolute path.
	Dir string
	// Name and Group are those of the plugin.
	Name, Group string
	// Files are the files, as paths within Dir.
	Files []string
}

// values is what the templates are given.
type values struct {
	Name, Group, Module string
	Require, Replace    string
	// File is the name of the document, without its ending.
	File string
}

// Write writes the repository of a new plugin. It fails with an error that
// wraps ErrBadName or ErrNotEmpty, or that of the file system, and overwrites
// nothing. The module still needs "go mod tidy".
func Write(config Config) (Repository, error) {
	c, err := config.withDefaults()
	if err != nil {
		return Repository{}, err
	}
	all, err := template.ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return Repository{}, fmt.Errorf("make plugin: %w", err)
	}
	v := values{
		Name: c.Name, Group: c.Group, Module: c.Module, Require: c.require(), Replace: c.replacement(),
		File: strings.ReplaceAll(c.Group, ":", "-"),
	}
	if err := checkEmpty(c.Dir); err != nil {
		return Repository{}, err
	}
	r := Repository{Dir: c.Dir, Name: c.Name, Group: c.Group}
	for _, f := range files(c.Group) {
		var text bytes.Buffer
		if err := all.ExecuteTemplate(&text, f.template, v); err != nil {
			return Repository{}, fmt.Errorf("make plugin: %w", err)
		}
		if err := writeNew(filepath.Join(c.Dir, filepath.FromSlash(f.path)), text.Bytes()); err != nil {
			return Repository{}, fmt.Errorf("make plugin: %w", err)
		}
		r.Files = append(r.Files, f.path)
	}
	return r, nil
}

// checkEmpty returns an error that names the folder unless it is empty or
// missing.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make plugin: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("make plugin in %s: %w", dir, ErrNotEmpty)
	}
	return nil
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
