"""A program that does nothing but keep namespaces open and collect orphans, for machines without catatonit.

It is the process 1 of a pod's infra container, whose root file system is empty: a static executable of some hundred
bytes, so that it costs no memory. In C:

    sigprocmask(SIG_BLOCK, SIGINT | SIGTERM | SIGCHLD);
    for (;;)
        switch (sigtimedwait(SIGINT | SIGTERM | SIGCHLD, no limit)) {
        case SIGINT: case SIGTERM: _exit(0);
        case SIGCHLD: while (wait4(-1, NULL, WNOHANG, NULL) > 0);
        }

A blocked signal reaches a process 1 which has no handler for it, see signal(7) and pid_namespaces(7).
"""

from __future__ import annotations

import struct

_LOAD_ADDRESS = 0x400000
_HEADERS = 64 + 56  # Elf64_Ehdr, Elf64_Phdr: elf(5)
_SIGNALS = struct.pack("<Q", 1 << (2 - 1) | 1 << (15 - 1) | 1 << (17 - 1))

_X86_64 = bytes.fromhex(
    "4c8d255a000000"  # lea r12, [rip + signals]
    "b80e000000"  # mov eax, rt_sigprocmask
    "31ff"  # xor edi, edi: SIG_BLOCK
    "4c89e6"  # mov rsi, r12
    "31d2"  # xor edx, edx
    "41ba08000000"  # mov r10d, 8
    "0f05"  # syscall
    # wait:
    "b880000000"  # mov eax, rt_sigtimedwait
    "4c89e7"  # mov rdi, r12
    "31f6"  # xor esi, esi
    "31d2"  # xor edx, edx
    "41ba08000000"  # mov r10d, 8
    "0f05"  # syscall
    "83f80f"  # cmp eax, SIGTERM
    "7424"  # je leave
    "83f802"  # cmp eax, SIGINT
    "741f"  # je leave
    "83f811"  # cmp eax, SIGCHLD
    "75dd"  # jne wait
    # reap:
    "b83d000000"  # mov eax, wait4
    "6aff5f"  # push -1; pop rdi
    "31f6"  # xor esi, esi
    "ba01000000"  # mov edx, WNOHANG
    "4531d2"  # xor r10d, r10d
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "7fe8"  # jg reap
    "ebc3"  # jmp wait
    # leave:
    "b8e7000000"  # mov eax, exit_group
    "31ff"  # xor edi, edi
    "0f05"  # syscall
)

# Machine as os.uname() calls it -> (e_machine, code with the set of signals behind it).
_PROGRAMS = {"x86_64": (62, _X86_64)}


def program(machine: str) -> bytes:
    """The executable for a machine; b"" where there is none."""
    if machine not in _PROGRAMS:
        return b""
    number, code = _PROGRAMS[machine]
    size = _HEADERS + len(code) + len(_SIGNALS)
    entry = _LOAD_ADDRESS + _HEADERS
    header = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, number, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, _LOAD_ADDRESS, _LOAD_ADDRESS, size, size, 0x1000)
    return header + load + code + _SIGNALS
