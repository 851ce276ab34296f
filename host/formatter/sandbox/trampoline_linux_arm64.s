#include "go_asm.h"
#include "textflag.h"

// func trampolineCode() *[trampolineBytes]byte
TEXT ·trampolineCode(SB), NOSPLIT, $0-8
	MOVD $walk<>(SB), R0
	MOVD R0, ret+0(FP)
	RET

// walk is the whole program of the trampoline: see trampoline_linux.go. It is
// copied, so it refers to nothing but the list at tableAddress. It never calls
// or returns. SVC changes R0 alone.
TEXT walk<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVD RSP, R0
	MOVD (R0), R1         // the number of arguments; they follow, and a nil
	ADD  R1<<3, R0, R0
	ADD  $16, R0, R0      // the environment
	MOVD $const_tableAddress, R19
	MOVD header_faults(R19), R20
	MOVD header_environment(R19), R1
	MOVD R0, (R1)
	ADD  $header__size, R19, R19

again:
	MOVD entry_number(R19), R8
	MOVD (entry_arguments+0)(R19), R0
	MOVD (entry_arguments+8)(R19), R1
	MOVD (entry_arguments+16)(R19), R2
	MOVD (entry_arguments+24)(R19), R3
	MOVD (entry_arguments+32)(R19), R4
	MOVD (entry_arguments+40)(R19), R5
	SVC
	CMN  $4095, R0
	BCS  failed
	MOVD entry_least(R19), R1
	CMP  R1, R0
	BLT  less
	MOVD (entry_stores+0)(R19), R1
	CBZ  R1, next
	MOVW R0, (R1)
	MOVD (entry_stores+8)(R19), R1
	CBZ  R1, next
	MOVW R0, (R1)

next:
	ADD $entry__size, R19, R19
	B   again

failed:
	NEG  R0, R0
	MOVD entry_tolerated(R19), R1
	CMP  R1, R0
	BEQ  next
	CMP  $const_anyFault, R1
	BEQ  next
	CMP  $const_faultCount, R0
	BLO  say

less:
	MOVD ZR, R0

say:
	ADD  R0<<6, R20, R20 // faultBytes
	MOVD $64, R8         // write
	MOVD $2, R0
	MOVD entry_step(R19), R1
	MOVD entry_length(R19), R2
	SVC
	MOVD $64, R8
	MOVD $2, R0
	ADD  $8, R20, R1
	MOVD (R20), R2
	SVC
	MOVD $94, R8 // exit_group
	MOVD $const_FailedStatus, R0
	SVC
	UNDEF
