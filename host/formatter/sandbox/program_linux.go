//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// systemPaths are what interpreters and the loader of dynamic libraries read.
// What is missing is left out.
func systemPaths() []string {
	return []string{
		"/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin",
		"/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl/openssl.cnf",
	}
}

// interpreterFolders are searched for what "#!/usr/bin/env" names.
func interpreterFolders() []string { return []string{"/usr/bin", "/bin", "/usr/local/bin"} }

// image is what has to be known of a program's file to run it.
type image struct {
	// interpreter is the program and the arguments that a script's first line
	// names; empty for an executable.
	interpreter []string
	// shared tells that files of the system are needed to run it.
	shared bool
}

// inspect reads as much of a program as is needed to run it with one exec. The
// kernel would run a script's interpreter itself, but "#!/usr/bin/env node"
// takes two execs, and only one is allowed.
func inspect(path string, readable []string) (image, error) {
	f, err := os.Open(path)
	if err != nil {
		return image{}, err
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 256) // as far as the kernel reads, too
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return image{}, fmt.Errorf("read %s: %w", path, err)
	}
	head = head[:n]
	if line, script := bytes.CutPrefix(head, []byte("#!")); script {
		line, _, ended := bytes.Cut(line, []byte("\n"))
		if !ended && n == 256 {
			return image{}, fmt.Errorf("%s: its first line is longer than 255 bytes", path)
		}
		interpreter, err := resolve(string(line))
		if err != nil {
			return image{}, fmt.Errorf("%s: %w", path, err)
		}
		return image{interpreter: interpreter, shared: true}, reachable(interpreter[0], readable)
	}
	if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return image{}, unix.ENOEXEC
	}
	return image{shared: needsLoader(f)}, nil
}

// needsLoader tells whether an executable is linked dynamically. The package
// elf is not written for hostile input, so a panic is an answer, too: such a
// file does not run anyway.
func needsLoader(f io.ReaderAt) (needs bool) {
	defer func() { _ = recover() }()
	e, err := elf.NewFile(f)
	if err != nil {
		return false
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			return true
		}
	}
	return false
}

// resolve returns the program that a script's first line names, and its
// arguments. The kernel passes all that follows the program as one argument.
func resolve(line string) ([]string, error) {
	if strings.HasSuffix(line, "\r") {
		return nil, errors.New("its first line ends in a carriage return: save the script with Unix line ends")
	}
	name, rest, _ := strings.Cut(strings.Trim(strings.ReplaceAll(line, "\t", " "), " "), " ")
	rest = strings.Trim(rest, " ")
	if name == "" {
		return nil, errors.New("its first line names no interpreter")
	}
	argv := []string{name}
	if rest != "" {
		argv = append(argv, rest)
	}
	if filepath.Base(name) == "env" {
		if split, ok := strings.CutPrefix(rest, "-S"); ok {
			argv = strings.Fields(split)
		} else {
			argv = argv[1:]
		}
		if len(argv) == 0 || strings.HasPrefix(argv[0], "-") || strings.ContainsAny(argv[0], "= \t") {
			return nil, fmt.Errorf("its first line %q is not understood: write \"#!/usr/bin/env NAME\" or \"#!/FULL/PATH\"", line)
		}
	}
	if strings.ContainsRune(argv[0], '/') {
		return argv, checkInterpreter(argv[0])
	}
	for _, folder := range interpreterFolders() {
		path := filepath.Join(folder, argv[0])
		if unix.Access(path, unix.X_OK) == nil {
			argv[0] = path
			return argv, checkInterpreter(path)
		}
	}
	return nil, fmt.Errorf("its interpreter %q is not installed in %s", argv[0], strings.Join(interpreterFolders(), ", "))
}

func checkInterpreter(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open its interpreter: %w", err)
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, len(elf.ELFMAG))
	if _, err := io.ReadFull(f, head); err != nil || string(head) != elf.ELFMAG {
		return fmt.Errorf("its interpreter %s is not an executable but perhaps a script itself; name the real one in the first line", path)
	}
	return nil
}

// reachable returns an error if an interpreter is in none of the paths that
// programs may read.
func reachable(interpreter string, readable []string) error {
	real, err := filepath.EvalSymlinks(interpreter)
	if err != nil {
		return fmt.Errorf("find the interpreter: %w", err)
	}
	for _, path := range append(systemPaths(), readable...) {
		if folder, err := filepath.EvalSymlinks(path); err == nil && (real == folder || strings.HasPrefix(real, folder+"/")) {
			return nil
		}
	}
	return fmt.Errorf("its interpreter %s is outside of what plugins may read; add its folder to the readable paths of the sandbox", real)
}
