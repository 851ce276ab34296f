package sandbox_test

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hereAttempts make calls that only this processor has.
func hereAttempts() []attempt {
	return []attempt{
		{name: "make a call as a 32-bit program", needs: "kernel", try: func(target) error { return oldCall(359, unix.AF_INET, unix.SOCK_STREAM) }},
		{name: "make a call with 32-bit pointers", needs: "kernel", try: func(target) error {
			return call(0x40000000|unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM)
		}},
		{name: "use the processor's ports", needs: "kernel", try: func(target) error { return call(unix.SYS_IOPERM, 0x80, 1, 1) }},
	}
}

// oldCall makes a system call by interrupt 0x80, the way of 32-bit programs.
func oldCall(number, a, b uint32) error {
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	word := func(v uint32) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }
	code := append([]byte{0x53, 0xb8}, word(number)...)    // push rbx; mov eax, number
	code = append(append(code, 0xbb), word(a)...)          // mov ebx, a
	code = append(append(code, 0xb9), word(b)...)          // mov ecx, b
	code = append(code, 0x31, 0xd2, 0xcd, 0x80)            // xor edx, edx; int 0x80
	code = append(code, 0x89, 0x05)                        // mov [rip+offset], eax
	code = append(code, word(uint32(1024-len(code)-4))...) //
	code = append(code, 0x5b, 0xc3)                        // pop rbx; ret
	copy(page, code)
	entry := &page[0]
	function := unsafe.Pointer(&entry) // a Go function value points to the address of its code
	(*(*func())(unsafe.Pointer(&function)))()
	if result := *(*int32)(unsafe.Pointer(&page[1024])); result < 0 {
		return syscall.Errno(-result)
	}
	return nil
}
