"""Seccomp profiles: JSON -> BPF program, through libseccomp, with a cache on disk.

A profile is docker's and podman's format (rules with `includes` and `excludes` for capabilities, architectures and
kernel versions) or the `linux.seccomp` object of the OCI runtime specification. Compiling takes longer than a start, so
the bytes are kept under a name made of everything they depend on; a start only loads them with seccomp(2).
"""

from __future__ import annotations

import os

from pod.base import files
from pod.base.errors import PodError
from pod.linux.capabilities import mask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_MACHINES = {  # uname(2) -> names in profiles: docker's short one, libseccomp's constant
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "armv7l": ("arm", "SCMP_ARCH_ARM"),
    "i686": ("386", "SCMP_ARCH_X86"),
}


class InvalidProfile(PodError):
    """A seccomp profile that is not one."""

    def __init__(self, origin: str, error: Exception) -> None:
        super().__init__(f"seccomp profile '{origin}' is not valid: {error!r}")


def compiled(profile_path: str, capabilities: Iterable[str], cache_directory: str) -> str:
    """The path of the compiled program for this profile and bounding set, made if it is not there yet.

    The name holds what the bytes depend on: file (place, size, time of change), capabilities, machine, kernel release.
    """
    status = os.stat(profile_path)
    uname = os.uname()
    facts = (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        uname.machine,
        uname.release,
    )
    key = "_".join(map(str, facts)) + f"_{mask(capabilities):x}"
    path = f"{cache_directory}/{key}.bpf"
    if not os.path.exists(path):
        program = compile_profile(files.read_json(profile_path), set(capabilities), profile_path)
        os.makedirs(cache_directory, 0o700, exist_ok=True)
        files.write_atomic(path, program, sync=False)
    return path


def compile_profile(profile: dict[str, Any], capabilities: set[str], origin: str) -> bytes:
    """BPF instructions, eight bytes each. `origin` names the profile in errors."""
    from pod.linux import libseccomp  # heavy

    try:
        return libseccomp.compile_rules(
            profile["defaultAction"],
            profile.get("defaultErrnoRet"),
            _architectures(profile),
            [rule for rule in profile.get("syscalls") or () if _applies(rule, capabilities)],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidProfile(origin, error) from error


def as_oci(profile: dict[str, Any], capabilities: set[str], origin: str) -> dict[str, Any]:
    """The profile as the OCI specification's `linux.seccomp` object, for a runtime that compiles it itself."""
    try:
        rules = [
            _plain(rule) for rule in profile.get("syscalls") or () if _applies(rule, capabilities)
        ]
        document = {
            "defaultAction": profile["defaultAction"],
            "architectures": [f"SCMP_ARCH_{name.upper()}" for name in _architectures(profile)],
            "syscalls": rules,
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidProfile(origin, error) from error
    if profile.get("defaultErrnoRet") is not None:
        document["defaultErrnoRet"] = profile["defaultErrnoRet"]
    return document


def _plain(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule in the specification's words; docker's first profiles had one `name` each."""
    plain = {
        name: rule[name] for name in ("action", "errnoRet", "args") if rule.get(name) is not None
    }
    return {"names": rule.get("names") or [rule["name"]], **plain}


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
    """Major and minor of "6.1.0-18-amd64", "6.18+", "6.0-rc1"."""
    major, _, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return int(major), int(digits or 0)
