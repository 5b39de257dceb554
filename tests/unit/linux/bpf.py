"""Run a seccomp filter without a kernel: classic BPF over one system call. See seccomp(2), linux/filter.h."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

from pod.linux.libseccomp import LIBRARY

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X86 = 0x40000003
ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000


def errno(number: int) -> int:
    return 0x00050000 | number


def number_of(name: str) -> int:
    """The number of a system call on this machine."""
    number = ctypes.CDLL(LIBRARY).seccomp_syscall_resolve_name(name.encode())
    assert number >= 0, f"{name} is no system call here"
    return int(number)


def decide(
    program: bytes, name: str | int, arguments: Sequence[int] = (), *, architecture: int = 0
) -> int:
    """What the filter returns for a call by name or number with these arguments; the others are 0."""
    number = number_of(name) if isinstance(name, str) else name
    architecture = architecture or ARCHITECTURES[os.uname().machine]
    values = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *(value % 2**64 for value in values))
    return _run(list(struct.iter_unpack("<HBBI", program)), data)


def _run(program: list[tuple[int, int, int, int]], data: bytes) -> int:
    accumulator = index = 0
    place = 0
    while True:
        code, if_true, if_false, value = program[place]
        place += 1
        kind = code & 0x07
        if code == 0x20:  # load a word
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif kind == 0x06:  # return
            return value
        elif kind == 0x05 and code & 0xF0 == 0:  # jump always
            place += value
        elif kind == 0x05:
            operand = index if code & 0x08 else value
            holds = {
                0x10: accumulator == operand,
                0x20: accumulator > operand,
                0x30: accumulator >= operand,
                0x40: bool(accumulator & operand),
            }[code & 0xF0]
            place += if_true if holds else if_false
        elif code == 0x54:  # and
            accumulator &= value
        else:
            raise AssertionError(f"instruction {code:#x} is not known here")
