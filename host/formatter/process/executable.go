package process

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"
)

// inspect says what is wrong with a file that can't be run, or "".
func inspect(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	return inspectFile(f, info.Size())
}

// inspectFile reads headers that may be malformed in any way. The packages
// below debug are not written for hostile input, so a panic is an answer, too.
func inspectFile(f io.ReaderAt, length int64) (fault string) {
	const damaged = "the file is damaged: copy it again"
	defer func() {
		if recover() != nil {
			fault = damaged
		}
	}()
	head := make([]byte, 256)
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	switch {
	case n == 0:
		return "the file is empty: copy it again"
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return inspectELF(f, length)
	case bytes.HasPrefix(head, []byte("MZ")):
		if p, err := pe.NewFile(f); err == nil {
			return otherComputer("windows/" + peMachine(p.Machine))
		}
		return otherComputer("windows or DOS")
	case isMachO(head):
		if m, err := macho.NewFile(f); err == nil {
			return otherComputer("darwin/" + machoMachine(m.Cpu))
		}
		return otherComputer("darwin")
	case bytes.HasPrefix(head, []byte("#!")):
		return inspectScript(head)
	case bytes.IndexByte(head, 0) < 0 && (utf8.Valid(head) || utf8.Valid(head[:max(0, n-3)])):
		return fmt.Sprintf("it is a text file that begins with %q, not a program; a script must begin with \"#!\" and its interpreter", clip(oneLine(string(head), 40), 40))
	}
	return "it is not a program that this computer knows"
}

func inspectELF(f io.ReaderAt, length int64) string {
	e, err := elf.NewFile(f)
	if err != nil {
		if machine := elfMachineOf(f); machine != "" && machine != runtime.GOARCH {
			return otherComputer("linux/" + machine)
		}
		return "the file is cut short or damaged: copy it again"
	}
	machine := elfMachine(e.Machine)
	if machine != runtime.GOARCH || runtime.GOOS != "linux" {
		return otherComputer("linux/" + machine)
	}
	for _, p := range e.Progs {
		if end := p.Off + p.Filesz; p.Type == elf.PT_LOAD && end > uint64(length) {
			return fmt.Sprintf("the file is cut short: it has %d bytes and its program needs %d: copy it again", length, end)
		}
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			loader, _ := io.ReadAll(p.Open())
			name := strings.TrimRight(string(loader), "\x00")
			if _, err := os.Stat(name); err != nil {
				return fmt.Sprintf("its program loader %q is not installed: build it as a static program (CGO_ENABLED=0), or for this system", clip(name, 200))
			}
		}
	}
	// The section headers are at the end, so a file that was cut short has
	// lost them, even if it might run.
	for _, s := range e.Sections {
		if end := s.Offset + s.FileSize; s.Type != elf.SHT_NOBITS && end > uint64(length) {
			return fmt.Sprintf("the file is cut short: it has %d bytes and should have %d or more: copy it again", length, end)
		}
	}
	return ""
}

// elfMachineOf reads the machine of a header that is all there is.
func elfMachineOf(f io.ReaderAt) string {
	head := make([]byte, 20)
	if n, _ := f.ReadAt(head, 0); n < len(head) {
		return ""
	}
	number := uint16(head[18]) | uint16(head[19])<<8
	if head[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		number = uint16(head[19]) | uint16(head[18])<<8
	}
	return elfMachine(elf.Machine(number))
}

func inspectScript(head []byte) string {
	line, _, ended := bytes.Cut(head[2:], []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) == 0 || !ended {
		return "its first line names no interpreter"
	}
	if strings.HasSuffix(string(line), "\r") {
		return "its first line ends in a carriage return: save the script with Unix line ends"
	}
	if _, err := os.Stat(fields[0]); err != nil {
		return notInstalled(fields[0])
	}
	if filepath.Base(fields[0]) == "env" {
		return inspectEnv(fields[1:])
	}
	return ""
}

// inspectEnv looks for the program that env would run, as in "env -S node -x".
func inspectEnv(args []string) string {
	for _, arg := range args {
		switch {
		case strings.HasPrefix(arg, "-"), strings.Contains(arg, "="):
			continue
		case strings.Contains(arg, "/"):
			if _, err := os.Stat(arg); err == nil {
				return ""
			}
			return notInstalled(arg)
		}
		for _, folder := range filepath.SplitList(pluginPath) {
			if _, err := os.Stat(filepath.Join(folder, arg)); err == nil {
				return ""
			}
		}
		return notInstalled(arg) + " in " + strings.ReplaceAll(pluginPath, ":", " or ")
	}
	return ""
}

func notInstalled(interpreter string) string {
	return fmt.Sprintf("its interpreter %q is not installed", clip(oneLine(interpreter, 200), 200))
}

func otherComputer(built string) string {
	here := runtime.GOOS + "/" + runtime.GOARCH
	if built == here {
		return ""
	}
	return fmt.Sprintf("it is a program for %s, and this computer is %s: build it for %s", built, here, here)
}

func isMachO(head []byte) bool {
	for _, magic := range []string{"\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xcf", "\xfe\xed\xfa\xce", "\xca\xfe\xba\xbe"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// The machines that Go builds for are named as Go names them.
func elfMachine(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_PPC64:
		return "ppc64le"
	case elf.EM_LOONGARCH:
		return "loong64"
	}
	return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
}

func machoMachine(c macho.Cpu) string {
	switch c {
	case macho.CpuAmd64:
		return "amd64"
	case macho.CpuArm64:
		return "arm64"
	}
	return strings.ToLower(strings.TrimPrefix(c.String(), "Cpu"))
}

func peMachine(m uint16) string {
	switch m {
	case pe.IMAGE_FILE_MACHINE_AMD64:
		return "amd64"
	case pe.IMAGE_FILE_MACHINE_ARM64:
		return "arm64"
	case pe.IMAGE_FILE_MACHINE_I386:
		return "386"
	}
	return fmt.Sprintf("machine 0x%x", m)
}
