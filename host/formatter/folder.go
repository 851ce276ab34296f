package formatter

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sight is one file of the folder as it was when we looked.
type sight struct {
	info os.FileInfo // of the file that a link leads to; nil if there is none
	// fault is why the file can't be a plugin, for the operator; or "".
	fault string
	// lock is the lock file, which says whether it may run; nil if there is
	// none.
	lock os.FileInfo
}

// same tells whether the file held still between two looks.
func (s sight) same(other sight) bool {
	return s.fault == other.fault && sameInfo(s.info, other.info) && sameInfo(s.lock, other.lock)
}

func sameInfo(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return sameFile(a, b)
}

// sameFile compares what changes when a file is written to or replaced.
func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

// look returns the files of a folder that are meant to be plugins, by name.
func look(folder string) (map[string]sight, error) {
	if err := checkFolder(folder); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read plugin folder: %w", err)
	}
	lock, err := os.Stat(filepath.Join(folder, LockName))
	if err != nil {
		lock = nil
	}
	seen := make(map[string]sight, len(entries))
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".tmp") {
			continue
		}
		path := filepath.Join(folder, name)
		info, err := os.Stat(path)
		switch {
		case err != nil && entry.Type() == fs.ModeSymlink:
			seen[name] = sight{fault: "it is a link that leads nowhere: remove it, or restore what it links to"}
		case err != nil: // it went away just now
		case info.IsDir():
		case !info.Mode().IsRegular():
			seen[name] = sight{info: info, fault: "it is not a regular file: remove it"}
		case info.Mode()&0o111 != 0:
			seen[name] = sight{info: info, fault: exposed(path, info), lock: lock}
		case !bystander(name):
			seen[name] = sight{info: info, fault: "not executable: run chmod 755 " + path}
		}
	}
	return seen, nil
}

// checkFolder returns an error if others may put plugins into the folder.
func checkFolder(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("read plugin folder: %w", err)
	}
	if fault := exposed(folder, info); fault != "" {
		return fmt.Errorf("plugin folder %s: %s", folder, fault)
	}
	return nil
}

// bystander tells whether a file that can't be run is none of our business.
func bystander(name string) bool {
	return slices.Contains([]string{".lock", ".json", ".md", ".txt"}, filepath.Ext(name))
}
