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
	// Language is what the plugin is written in.
	Language Language
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
// nothing. A module in Go still needs "go mod tidy".
func Write(config Config) (Repository, error) {
	c, err := config.withDefaults()
	if err != nil {
		return Repository{}, err
	}
	v := values{
		Name: c.Name, Group: c.Group, Module: c.Module, Require: c.require(), Replace: c.replacement(),
		File: strings.ReplaceAll(c.Group, ":", "-"),
	}
	if err := checkEmpty(c.Dir); err != nil {
		return Repository{}, err
	}
	r := Repository{Dir: c.Dir, Language: c.Language, Name: c.Name, Group: c.Group}
	for _, f := range files(c.Language, c.Group) {
		text, err := v.fill(f.source)
		if err != nil {
			return Repository{}, fmt.Errorf("make plugin: %w", err)
		}
		if err := writeNew(filepath.Join(c.Dir, filepath.FromSlash(f.path)), text); err != nil {
			return Repository{}, fmt.Errorf("make plugin: %w", err)
		}
		r.Files = append(r.Files, f.path)
	}
	return r, nil
}

// fill returns the text of a file from its source.
func (v values) fill(source string) ([]byte, error) {
	text, err := templates.ReadFile("templates/" + source)
	if err != nil || !strings.HasSuffix(source, ".tmpl") {
		return text, err
	}
	t, err := template.New(source).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var filled bytes.Buffer
	err = t.Execute(&filled, v)
	return filled.Bytes(), err
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
