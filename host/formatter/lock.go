package formatter

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// LockName is the file in the plugin folder that pins the plugins: a line
// "SHA-256  FILE" for each, as sha256sum writes it, and comments after "#".
const LockName = "plugins.lock"

// LockMode says what a file means that is not in the lock file as it is.
type LockMode string

const (
	// LockEnforce refuses it, if there is a lock file; the default.
	LockEnforce LockMode = "enforce"
	// LockRequire refuses it, also if there is no lock file.
	LockRequire LockMode = "require"
	// LockWarn logs a warning.
	LockWarn LockMode = "warn"
	// LockOff doesn't look.
	LockOff LockMode = "off"
)

// ParseLockMode reads "enforce", "require", "warn" or "off".
func ParseLockMode(s string) (LockMode, error) {
	switch m := LockMode(s); m {
	case LockEnforce, LockRequire, LockWarn, LockOff:
		return m, nil
	}
	return "", fmt.Errorf("unknown lock mode %q: use \"enforce\", \"require\", \"warn\" or \"off\"", s)
}

// checkLock fails with errUnusable if the lock file does not allow a version of
// a file to run.
func (p *Plugins) checkLock(name string, v version) error {
	mode := p.config.Lock
	if mode == LockOff {
		return nil
	}
	err := p.pinned(name, v)
	if errors.Is(err, fs.ErrNotExist) {
		if mode != LockRequire {
			return nil
		}
		err = fmt.Errorf("there is no %s: run \"restante plugins lock\"", LockName)
	}
	if err == nil {
		return nil
	}
	if mode == LockWarn {
		p.log.Warn("plugin not as locked", "file", name, "reason", err)
		return nil
	}
	return fmt.Errorf("%w: %w", errUnusable, err)
}

func (p *Plugins) pinned(name string, v version) error {
	pins, err := readLock(filepath.Join(p.config.Folder, LockName))
	if err != nil {
		return err
	}
	const remedy = "if it is the right one, run \"restante plugins lock\""
	switch want, ok := pins[name]; {
	case !ok:
		return fmt.Errorf("it is not in %s; %s", LockName, remedy)
	case want != v.digest:
		return fmt.Errorf("its SHA-256 begins with %.12s, and %s says %.12s; %s", v.digest, LockName, want, remedy)
	}
	return nil
}

// readLock returns the digest of every file that a lock file names.
func readLock(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pins := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		digest, name, ok := strings.Cut(strings.TrimRight(line, " \t\r"), "  ")
		if raw, err := hex.DecodeString(digest); !ok || err != nil || len(raw) != 32 || name == "" || pins[name] != "" {
			return nil, fmt.Errorf("line %d of %s is malformed: it should be a SHA-256, two spaces, and the name of a file that is in no other line", n, LockName)
		}
		pins[name] = strings.ToLower(digest)
	}
	return pins, lines.Err()
}

// WriteLock pins the plugins as they are in the folder now, and returns their
// digests by file.
func (p *Plugins) WriteLock() (map[string]string, error) {
	seen, err := look(p.config.Folder)
	if err != nil {
		return nil, err
	}
	pins := map[string]string{}
	for name, what := range seen {
		if what.fault != "" {
			continue
		}
		if pins[name], err = digestFile(filepath.Join(p.config.Folder, name)); err != nil {
			return nil, fmt.Errorf("lock plugin %s: %w", name, err)
		}
	}
	var text strings.Builder
	text.WriteString("# Written by \"restante plugins lock\". Only these run.\n")
	for _, name := range slices.Sorted(maps.Keys(pins)) {
		fmt.Fprintf(&text, "%s  %s\n", pins[name], name)
	}
	path := filepath.Join(p.config.Folder, LockName)
	if err := os.WriteFile(path+".tmp", []byte(text.String()), 0o644); err != nil {
		return nil, fmt.Errorf("write the lock file: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return nil, fmt.Errorf("write the lock file: %w", err)
	}
	return pins, nil
}
