"""Seccomp profiles: JSON -> BPF program, through libseccomp, with a cache on disk.

A profile is docker's and podman's format (rules with `includes` and `excludes` for capabilities, architectures and
kernel versions) or the `linux.seccomp` object of the OCI runtime specification. Compiling takes longer than a start, so
the bytes are kept under a name made of everything they depend on; a start only loads them with seccomp(2).
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_int, c_uint, c_uint32, c_uint64, c_void_p

from pod.base import files
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LIBRARY = "libseccomp.so.2"

_ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
_WITH_NUMBER = {"SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"}
_OPERATORS = {
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
_EXISTS = 17
_UNKNOWN_SYSCALL = -1
_MACHINES = {  # uname(2) -> names in profiles: docker's short one, libseccomp's constant
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "armv7l": ("arm", "SCMP_ARCH_ARM"),
    "i686": ("386", "SCMP_ARCH_X86"),
}


class SeccompError(PodError):
    """A profile that cannot be used."""


def compiled(profile_path: str, capabilities: Iterable[str], cache_directory: str) -> str:
    """The path of the compiled program for this profile and bounding set, made if it is not there yet.

    The name holds what the bytes depend on: file (place, size, time of change), capabilities, machine, kernel release.
    """
    status = os.stat(profile_path)
    mask = "-".join(sorted(name.removeprefix("CAP_").lower() for name in capabilities))
    uname = os.uname()
    facts = (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        uname.machine,
        uname.release,
    )
    key = "_".join(map(str, facts)) + "_" + _fingerprint(mask)
    path = f"{cache_directory}/{key}.bpf"
    if not os.path.exists(path):
        program = compile_profile(files.read_json(profile_path), set(capabilities), profile_path)
        os.makedirs(cache_directory, 0o700, exist_ok=True)
        files.write_atomic(path, program, sync=False)
    return path


def _fingerprint(text: str) -> str:
    """Short and the same in every process; a file name has no room for forty capability names."""
    import zlib

    return f"{zlib.crc32(text.encode()):08x}{len(text):x}"


def compile_profile(profile: dict[str, Any], capabilities: set[str], origin: str) -> bytes:
    """BPF instructions, eight bytes each. `origin` names the profile in errors."""
    try:
        return _compile(profile, capabilities)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SeccompError(f"seccomp profile '{origin}' is not valid: {error!r}") from error


def as_oci(profile: dict[str, Any], capabilities: set[str], origin: str) -> dict[str, Any]:
    """The profile as the OCI specification's `linux.seccomp` object, for a runtime that compiles it itself."""
    try:
        rules = [
            {name: rule[name] for name in ("names", "action", "errnoRet", "args") if rule.get(name)}
            for rule in profile.get("syscalls") or ()
            if _applies(rule, capabilities)
        ]
        document = {
            "defaultAction": profile["defaultAction"],
            "architectures": [f"SCMP_ARCH_{name.upper()}" for name in _architectures(profile)],
            "syscalls": rules,
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SeccompError(f"seccomp profile '{origin}' is not valid: {error!r}") from error
    if profile.get("defaultErrnoRet") is not None:
        document["defaultErrnoRet"] = profile["defaultErrnoRet"]
    return document


def _compile(profile: dict[str, Any], capabilities: set[str]) -> bytes:
    library = _load()
    default = _action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    context = library.seccomp_init(default)
    if not context:
        raise SeccompError("libseccomp refused the default action")
    try:
        library.seccomp_attr_set(context, _ATTRIBUTE_NO_NEW_PRIVS, 0)  # whoever loads it decides
        library.seccomp_attr_set(context, _ATTRIBUTE_BAD_ARCHITECTURE, default)
        library.seccomp_attr_set(context, _ATTRIBUTE_OPTIMIZE, 2)  # a binary tree, libseccomp 2.5
        for name in _architectures(profile):
            token = library.seccomp_arch_resolve_name(name.encode())
            if token:
                library.seccomp_arch_add(context, token)
        for rule in profile.get("syscalls") or ():
            if _applies(rule, capabilities):
                _add_rule(library, context, rule, default)
        return _export(library, context)
    finally:
        library.seccomp_release(context)


def _architectures(profile: dict[str, Any]) -> list[str]:
    """The machine's own architecture and those of older programs that it runs, as libseccomp names them."""
    native = _MACHINES[os.uname().machine][1]
    wanted = list(profile.get("architectures") or ())
    for entry in profile.get("archMap") or ():
        if entry["architecture"] == native:
            wanted = [native, *(entry.get("subArchitectures") or ())]
    return [name.removeprefix("SCMP_ARCH_").lower() for name in wanted]


def _applies(rule: dict[str, Any], capabilities: set[str]) -> bool:
    machine = _MACHINES[os.uname().machine][0]
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if includes.get("arches") and machine not in includes["arches"]:
        return False
    if machine in (excludes.get("arches") or ()):
        return False
    if not capabilities.issuperset(includes.get("caps") or ()):
        return False
    if capabilities.intersection(excludes.get("caps") or ()):
        return False
    if includes.get("minKernel") and _kernel() < _version(includes["minKernel"]):
        return False
    return not (excludes.get("minKernel") and _kernel() >= _version(excludes["minKernel"]))


def _kernel() -> tuple[int, int]:
    return _version(os.uname().release)


def _version(text: str) -> tuple[int, int]:
    major, _, rest = text.partition(".")
    digits = rest.split(".")[0].split("-")[0]
    return int(major), int(digits or 0)


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
    if name not in _ACTIONS:
        raise SeccompError(f"seccomp action '{name}' does not exist")
    code = _ACTIONS[name]
    if name in _WITH_NUMBER:
        code |= _EPERM if number is None else int(number)
    return code


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of seccomp.h."""

    _fields_ = (("arg", c_uint), ("op", c_int), ("datum_a", c_uint64), ("datum_b", c_uint64))


def _condition(argument: dict[str, Any]) -> _Comparison:
    if argument["op"] not in _OPERATORS:
        raise SeccompError(f"seccomp operator '{argument['op']}' does not exist")
    return _Comparison(
        argument["index"],
        _OPERATORS[argument["op"]],
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
