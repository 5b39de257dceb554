"""BPF programs for seccomp(2), made by libseccomp through ctypes. `seccomp.py` decides what goes into them.

See seccomp_init(3), seccomp_rule_add(3), seccomp_export_bpf(3).
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_int, c_uint, c_uint32, c_uint64, c_void_p

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LIBRARY = "libseccomp.so.2"

ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
# seccomp_arch_resolve_name(3) knows them without the prefix and in small letters.
ARCHITECTURES = tuple(
    f"SCMP_ARCH_{name}"
    for name in (
        *("X86", "X86_64", "X32", "ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL"),
        *("MIPSEL64", "MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X", "RISCV64"),
    )
)
_WITH_NUMBER = {"SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"}
OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
_ATTRIBUTE_BAD_ARCHITECTURE = 2
_ATTRIBUTE_NO_NEW_PRIVS = 3
_ATTRIBUTE_OPTIMIZE = 8
_EPERM = 1
_HIGHEST_NUMBER = 0xFFFF  # the rest of the word is the action, seccomp(2)
_EXISTS = 17
_UNKNOWN_SYSCALL = -1


class SeccompError(PodError):
    """A profile that cannot be used."""


def compile_rules(
    default_action: str,
    default_number: int | None,
    architectures: Iterable[str],
    rules: Iterable[dict[str, Any]],
) -> bytes:
    """BPF instructions, eight bytes each. `architectures` are libseccomp's names; rules are those of a profile.

    Raises SeccompError, and KeyError, TypeError and the like for rules that are no rules.
    """
    library = _load()
    default = _action(default_action, default_number)
    context = library.seccomp_init(default)
    if not context:
        raise SeccompError("libseccomp refused the default action")
    try:
        library.seccomp_attr_set(context, _ATTRIBUTE_NO_NEW_PRIVS, 0)  # whoever loads it decides
        library.seccomp_attr_set(context, _ATTRIBUTE_BAD_ARCHITECTURE, default)
        library.seccomp_attr_set(context, _ATTRIBUTE_OPTIMIZE, 2)  # a binary tree, libseccomp 2.5
        for name in architectures:
            token = library.seccomp_arch_resolve_name(name.encode())
            if token:
                library.seccomp_arch_add(context, token)
        for rule in rules:
            _add_rule(library, context, rule, default)
        return _export(library, context)
    finally:
        library.seccomp_release(context)


def _add_rule(library: Any, context: int, rule: dict[str, Any], default: int) -> None:
    action = _action(rule["action"], rule.get("errnoRet"))
    if action == default:
        return  # libseccomp refuses rules that change nothing
    names = rule.get("names") or [rule["name"]]
    conditions = [_condition(argument) for argument in rule.get("args") or ()]
    positions = [condition.arg for condition in conditions]
    # Several conditions on one argument cannot be one rule; as in runc, each is then a rule of its own.
    groups = (
        [conditions] if len(set(positions)) == len(positions) else [[one] for one in conditions]
    )
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number == _UNKNOWN_SYSCALL:
            continue  # a newer kernel's call: the default action covers it
        for group in groups:
            array = (_Comparison * len(group))(*group)
            result = library.seccomp_rule_add_array(context, action, number, len(group), array)
            if result < 0 and -result != _EXISTS:
                raise SeccompError(
                    f"libseccomp refused the rule for '{name}': {os.strerror(-result)}"
                )


def _action(name: str, number: int | None) -> int:
    if name == "SCMP_ACT_NOTIFY":
        raise SeccompError(
            "seccomp action SCMP_ACT_NOTIFY is not supported: it needs a listening agent"
        )
    if name not in ACTIONS:
        raise SeccompError(f"seccomp action '{name}' does not exist")
    code = ACTIONS[name]
    if name in _WITH_NUMBER:
        number = _EPERM if number is None else int(number)
        if not 0 <= number <= _HIGHEST_NUMBER:
            raise SeccompError(f"seccomp action {name} cannot have the number {number}")
        code |= number
    return code


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of seccomp.h."""

    _fields_ = (("arg", c_uint), ("op", c_int), ("datum_a", c_uint64), ("datum_b", c_uint64))


def _condition(argument: dict[str, Any]) -> _Comparison:
    if argument["op"] not in OPERATORS:
        raise SeccompError(f"seccomp operator '{argument['op']}' does not exist")
    return _Comparison(
        argument["index"],
        OPERATORS[argument["op"]],
        argument["value"],
        argument.get("valueTwo") or 0,
    )


def _export(library: Any, context: int) -> bytes:
    memory = os.memfd_create("pod-seccomp", os.MFD_CLOEXEC)
    try:
        result = library.seccomp_export_bpf(context, memory)
        if result < 0:
            raise SeccompError(f"libseccomp could not compile the profile: {os.strerror(-result)}")
        return os.pread(memory, os.fstat(memory).st_size, 0)
    finally:
        os.close(memory)


def _load() -> Any:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise SeccompError(
            "the library libseccomp is not installed, and the default system call filter needs it",
            hint="install the package libseccomp2 (Debian, Ubuntu) or libseccomp (Fedora), "
            "or use --security-opt seccomp=unconfined",
        ) from error
    library.seccomp_init.argtypes = (c_uint32,)
    library.seccomp_init.restype = c_void_p
    library.seccomp_release.argtypes = (c_void_p,)
    library.seccomp_attr_set.argtypes = (c_void_p, c_int, c_uint32)
    library.seccomp_arch_add.argtypes = (c_void_p, c_uint32)
    library.seccomp_arch_resolve_name.argtypes = (c_char_p,)
    library.seccomp_arch_resolve_name.restype = c_uint32
    library.seccomp_syscall_resolve_name.argtypes = (c_char_p,)
    library.seccomp_rule_add_array.argtypes = (
        c_void_p,
        c_uint32,
        c_int,
        c_uint,
        ctypes.POINTER(_Comparison),
    )
    library.seccomp_export_bpf.argtypes = (c_void_p, c_int)
    return library
