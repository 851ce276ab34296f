package scaffold

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// sdkModule is the module that the SDK belongs to.
const sdkModule = "github.com/restante/restante"

// Language is a language that plugins are written in.
type Language string

// The languages. The zero value stands for Go.
const (
	Go     Language = "go"
	Python Language = "python"
	Node   Language = "node"
)

// Config says what repository is written.
type Config struct {
	// Language is what the plugin is written in: Go if empty.
	Language Language
	// Name is the plugin's name: letters, digits and, inside, "-", "_" and
	// "."; at most 64 bytes.
	Name string
	// Dir is the folder, which is made if it is missing and must be empty:
	// Name if empty.
	Dir string
	// Module is the path of the Go module: example.com/NAME if empty. It must be
	// empty for other languages, which make no use of Checkout and Version.
	Module string
	// Group is the group that the plugin formats: Name if empty.
	Group string
	// Checkout is a folder with the source of the SDK's module, which the new
	// module then uses, or empty: see FindCheckout.
	Checkout string
	// Version is the version of the SDK's module to require if there is no
	// Checkout. If it is none that was published, such as "development", the
	// go command is left to choose the latest.
	Version string
}

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$`)
	groupForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
	moduleForm = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
	// A released version, a pre-release or a pseudo-version.
	versionForm = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)
	// What "git describe" adds to the last tag.
	describedForm = regexp.MustCompile(`-[0-9]+-g[0-9a-f]+$`)
)

func (c Config) withDefaults() (Config, error) {
	if !nameForm.MatchString(c.Name) {
		return c, fmt.Errorf("%w: the plugin's name %q is not 1 to 64 letters, digits and, inside, \"-\", \"_\" and \".\"", ErrBadName, c.Name)
	}
	c.Language = cmp.Or(c.Language, Go)
	switch {
	case c.Language != Go && c.Language != Python && c.Language != Node:
		return c, fmt.Errorf("%w: the language %q is none of go, python and node", ErrBadName, c.Language)
	case c.Language != Go && c.Module != "":
		return c, fmt.Errorf("%w: a module path is for Go, and the plugin is in %s", ErrBadName, c.Language)
	}
	c.Dir = cmp.Or(c.Dir, c.Name)
	c.Group = cmp.Or(c.Group, c.Name)
	c.Module = cmp.Or(c.Module, "example.com/"+c.Name)
	if !groupForm.MatchString(c.Group) {
		return c, fmt.Errorf("%w: the group %q is not 1 to 128 letters, digits and, after the first, \".\", \"_\", \":\" and \"-\"", ErrBadName, c.Group)
	}
	switch {
	case !moduleForm.MatchString(c.Module), strings.Contains(c.Module+"/", "./"):
		return c, fmt.Errorf("%w: the module path %q is not of the form example.com/name", ErrBadName, c.Module)
	case c.Module == sdkModule || strings.HasPrefix(c.Module, sdkModule+"/"):
		return c, fmt.Errorf("%w: the module path %q belongs to Restante itself", ErrBadName, c.Module)
	case !strings.Contains(strings.Split(c.Module, "/")[0], "."):
		return c, fmt.Errorf("%w: the first part of the module path %q has no dot, and such names are Go's own; use example.com/%s", ErrBadName, c.Module, c.Module)
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return c, fmt.Errorf("make plugin: %w", err)
	}
	return c, nil
}

// require returns the version of the SDK's module that go.mod requires, or "".
func (c Config) require() string {
	if c.Checkout != "" {
		return "v0.0.0" // replaced
	}
	v, _, _ := strings.Cut(c.Version, "+")
	v = describedForm.ReplaceAllString(strings.TrimSuffix(v, "-dirty"), "")
	if !versionForm.MatchString(v) {
		return ""
	}
	return v
}

// replacement returns the path of the checkout as go.mod has it: relative for a
// folder within the checkout, so that they can be moved together.
func (c Config) replacement() string {
	if c.Checkout == "" {
		return ""
	}
	path := c.Checkout
	if inside, err := filepath.Rel(c.Checkout, c.Dir); err == nil && filepath.IsLocal(inside) {
		if up, err := filepath.Rel(c.Dir, c.Checkout); err == nil {
			path = up
		}
	}
	path = filepath.ToSlash(path)
	if strings.ContainsAny(path, " \"'`,()[]{}") || strings.Contains(path, "//") {
		return fmt.Sprintf("%q", path)
	}
	return path
}
