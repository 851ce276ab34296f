//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The trampoline is a program of its own that is made anew for each start. All
// that it can do is walk a list of system calls, which we wrote when we made
// it. Our own executable could do the same, but needs longer to come up than
// any plugin, and has threads, each with privileges of its own.
//
// If a call fails, the trampoline says which step that was on one line of
// standard error, and ends with FailedStatus. The last call becomes the plugin.

// trampolineName is the argv[0] of a process that is not yet the program.
const trampolineName = "restante-sandbox"

// Where the parts of the trampoline are in its memory, and, less
// trampolineBase, in its file. They are as far apart as the largest page is
// long, and must be multiples of it.
const (
	trampolineBase = 0x10000000
	codeAddress    = trampolineBase + 0x10000
	tableAddress   = trampolineBase + 0x20000
	blobAddress    = trampolineBase + 0x40000

	maxTable = blobAddress - tableAddress
	// maxBlob is the largest script that can be run, and a little more.
	maxBlob = 64 << 20
	// trampolineBytes is what is copied of our own code; walk is shorter.
	trampolineBytes = 512
)

// trampolineCode returns the machine code that walks the list, in
// trampoline_linux_*.s, and what happens to come after it.
func trampolineCode() *[trampolineBytes]byte

// header comes first in the table.
type header struct {
	environment uint64 // the address to store that of the environment at
	faults      uint64 // the address of the texts of the errors
}

// entry is one system call. Addresses are those of the trampoline.
type entry struct {
	number    uint64
	arguments [6]uint64
	stores    [2]uint64 // the addresses to store the lower half of the result at, or 0
	tolerated uint64    // the error that does not matter, or anyFault, or 0
	least     int64     // a smaller result is a failure, too
	step      uint64    // the address of what to say when it fails
	length    uint64    // of that
}

const (
	headerBytes, entryBytes = 2 * 8, 13 * 8
	// anyFault is no errno.
	anyFault = 4096
	// faultBytes is the room for the length and the text of an error; the code
	// knows it.
	faultBytes = 64
	faultCount = 134 // what there are of errnos
)

// steps is a list for the trampoline in the making.
type steps struct {
	entries      []entry
	blob         []byte
	step, length uint64
}

// begin names the step that the following calls belong to.
func (s *steps) begin(step string) {
	text := giveUpPrefix + step + ": "
	s.step, s.length = s.text(text), uint64(len(text))
}

// call adds a call and returns its place.
func (s *steps) call(number uintptr, arguments ...uint64) int {
	e := entry{number: uint64(number), step: s.step, length: s.length}
	copy(e.arguments[:], arguments)
	s.entries = append(s.entries, e)
	return len(s.entries) - 1
}

// tolerate has the call before not matter if it fails like that.
func (s *steps) tolerate(number syscall.Errno) {
	s.entries[len(s.entries)-1].tolerated = uint64(number)
}

// store has the result of a call put where another call has an argument.
func (s *steps) store(from, to, argument int) {
	s.keep(from, tableAddress+headerBytes+uint64(to)*entryBytes+8+8*uint64(argument))
}

// keep has the result of a call put at an address. A result has room for two.
func (s *steps) keep(call int, address uint64) {
	stores := &s.entries[call].stores
	if stores[0] != 0 {
		stores[1] = address
		return
	}
	stores[0] = address
}

// bytes puts bytes into the trampoline and returns their address.
func (s *steps) bytes(b []byte) uint64 {
	s.blob = append(s.blob, make([]byte, -len(s.blob)&7)...)
	address := blobAddress + uint64(len(s.blob))
	s.blob = append(s.blob, b...)
	return address
}

func (s *steps) text(text string) uint64 { return s.bytes(append([]byte(text), 0)) }

// data puts a value into the trampoline, as package binary lays it out, without
// gaps, and returns its address.
func (s *steps) data(value any) uint64 {
	b, err := binary.Append(nil, binary.NativeEndian, value)
	if err != nil {
		panic(err) // the type of the value is at fault
	}
	return s.bytes(append(b, make([]byte, 8)...)) // room for what is kept at its end
}

// texts lays texts out as exec expects them.
func (s *steps) texts(texts []string) uint64 {
	list := make([]uint64, len(texts)+1)
	for i, text := range texts {
		list[i] = s.text(text)
	}
	return s.data(list)
}

// faults lays out the texts of the errors. The first one is for what is none.
func (s *steps) faults() uint64 {
	b := make([]byte, faultCount*faultBytes)
	for number := range faultCount {
		text := "it was not done, or not all of it"
		if number > 0 {
			text = syscall.Errno(number).Error()
		}
		text = text[:min(len(text), faultBytes-9)] + "\n"
		fault := b[number*faultBytes:]
		binary.NativeEndian.PutUint64(fault, uint64(len(text)))
		copy(fault[8:], text)
	}
	return s.bytes(b)
}

// file makes the trampoline. The environment is put to the argument of a call.
func (s *steps) file(environment, argument int) (*os.File, error) {
	h := header{environment: tableAddress + headerBytes + uint64(environment)*entryBytes + 8 + 8*uint64(argument), faults: s.faults()}
	var table []byte
	for _, word := range []uint64{h.environment, h.faults} {
		table = binary.NativeEndian.AppendUint64(table, word)
	}
	for _, e := range s.entries {
		words := append([]uint64{e.number}, e.arguments[:]...)
		for _, word := range append(words, e.stores[0], e.stores[1], e.tolerated, uint64(e.least), e.step, e.length) {
			table = binary.NativeEndian.AppendUint64(table, word)
		}
	}
	if len(table) > maxTable || len(s.blob) > maxBlob {
		return nil, fmt.Errorf("the program needs too much: %d steps, %d bytes", len(s.entries), len(s.blob))
	}
	code := trampolineCode()[:]
	file, err := memory(trampolineName)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		address int64
		content []byte
	}{{trampolineBase, elfHeader(len(code), len(table), len(s.blob))}, {codeAddress, code}, {tableAddress, table}, {blobAddress, s.blob}} {
		if _, err := file.WriteAt(part.content, part.address-trampolineBase); err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("write the trampoline: %w", err)
		}
	}
	return file, nil
}

// elfHeader describes the parts of the trampoline to the kernel.
func elfHeader(code, table, blob int) []byte {
	load := func(address uint64, length int, flags elf.ProgFlag) elf.Prog64 {
		return elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(flags), Align: 0x10000,
			Off: address - trampolineBase, Vaddr: address, Paddr: address, Filesz: uint64(length), Memsz: uint64(length),
		}
	}
	programs := []elf.Prog64{
		load(codeAddress, code, elf.PF_R|elf.PF_X),
		load(tableAddress, table, elf.PF_R|elf.PF_W),
		load(blobAddress, blob, elf.PF_R|elf.PF_W),
		{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(elf.PF_R | elf.PF_W)},
	}
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Entry: codeAddress,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(programs)), Shentsize: 64,
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	var b bytes.Buffer
	// Writing to memory does not fail.
	_ = binary.Write(&b, binary.LittleEndian, h)
	_ = binary.Write(&b, binary.LittleEndian, programs)
	return b.Bytes()
}

// memory makes an empty file in memory that can be run and sealed.
func memory(name string) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	if len(name) > 200 {
		name = name[:200]
	}
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	switch err {
	case nil:
		return os.NewFile(uintptr(fd), name), nil
	case unix.EACCES:
		return nil, fmt.Errorf("make a file in memory: %w: the system forbids to run it: set sysctl vm.memfd_noexec=1", err)
	}
	return nil, fmt.Errorf("make a file in memory: %w", err)
}
