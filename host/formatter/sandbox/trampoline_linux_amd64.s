#include "go_asm.h"
#include "textflag.h"

// func trampolineCode() *[trampolineBytes]byte
TEXT ·trampolineCode(SB), NOSPLIT, $0-8
	LEAQ walk<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// walk is the whole program of the trampoline: see trampoline_linux.go. It is
// copied, so it refers to nothing but the list at tableAddress. It never calls
// or returns. SYSCALL changes AX, CX and R11 alone.
TEXT walk<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVQ (SP), AX         // the number of arguments; they follow, and a nil
	LEAQ 16(SP)(AX*8), AX // the environment
	MOVQ $const_tableAddress, BX
	MOVQ header_faults(BX), R13
	MOVQ header_environment(BX), CX
	MOVQ AX, (CX)
	ADDQ $header__size, BX

again:
	MOVQ entry_number(BX), AX
	MOVQ (entry_arguments+0)(BX), DI
	MOVQ (entry_arguments+8)(BX), SI
	MOVQ (entry_arguments+16)(BX), DX
	MOVQ (entry_arguments+24)(BX), R10
	MOVQ (entry_arguments+32)(BX), R8
	MOVQ (entry_arguments+40)(BX), R9
	SYSCALL
	CMPQ AX, $-4095
	JCC  failed
	CMPQ AX, entry_least(BX)
	JLT  less
	MOVQ (entry_stores+0)(BX), CX
	TESTQ CX, CX
	JEQ  next
	MOVL AX, (CX)
	MOVQ (entry_stores+8)(BX), CX
	TESTQ CX, CX
	JEQ  next
	MOVL AX, (CX)

next:
	ADDQ $entry__size, BX
	JMP  again

failed:
	NEGQ AX
	MOVQ entry_tolerated(BX), CX
	CMPQ CX, AX
	JEQ  next
	CMPQ CX, $const_anyFault
	JEQ  next
	CMPQ AX, $const_faultCount
	JCS  say

less:
	XORQ AX, AX

say:
	SHLQ $6, AX // faultBytes
	ADDQ AX, R13
	MOVQ $1, AX // write
	MOVQ $2, DI
	MOVQ entry_step(BX), SI
	MOVQ entry_length(BX), DX
	SYSCALL
	MOVQ $1, AX
	MOVQ $2, DI
	LEAQ 8(R13), SI
	MOVQ (R13), DX
	SYSCALL
	MOVQ $231, AX // exit_group
	MOVQ $const_FailedStatus, DI
	SYSCALL
	UNDEF
