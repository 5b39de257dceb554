"""Devices of the host in a container: the grammars of --device, --gpus and --device-cgroup-rule.

Source: podman-run(1), those options; the Container Device Interface, "Device Name".
"""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue
from pod.base.records import Record
from pod.base.units import parse_integer

_ALL_PERMISSIONS = "rwm"
_NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-")
_HIGHEST_NUMBER = (1 << 32) - 1


class Device(Record):
    """One --device: a node or a directory of them, as `target` in the container; with `cdi`, `source` is a CDI name."""

    source: str
    target: str = ""
    permissions: str = _ALL_PERMISSIONS
    cdi: bool = False


class DeviceRule(Record):
    """One --device-cgroup-rule; None for any number."""

    kind: str  # "a", "b" or "c"
    major: int | None
    minor: int | None
    permissions: str


def parse_device(text: str) -> Device:
    """`--device SOURCE[:TARGET][:PERMISSIONS]`, or a CDI name such as nvidia.com/gpu=all."""
    option = "--device"
    if _is_cdi_name(text):
        return Device(text, cdi=True)
    source, *rest = text.split(":")
    permissions = _ALL_PERMISSIONS
    if rest and not rest[-1].startswith("/"):
        permissions = _permissions(option, text, rest.pop())
    target = rest.pop() if rest else source
    if rest or not source.startswith("/") or not target.startswith("/") or "\0" in text:
        raise InvalidValue(
            option,
            text,
            "HOST_DEVICE[:CONTAINER_DEVICE][:PERMISSIONS], or a CDI name VENDOR/CLASS=NAME",
        )
    target = os.path.normpath("/" + target.lstrip("/"))
    if target == "/":
        raise InvalidValue(option, text, "the device cannot be the root directory")
    return Device(os.path.normpath("/" + source.lstrip("/")), target, permissions)


def parse_gpus(text: str) -> tuple[Device, ...]:
    """`--gpus all`, or numbers and ids with commas between them, as CDI names of NVIDIA; docker's 'device=0,1' too."""
    option = "--gpus"
    names = text.strip('"').removeprefix("device=").split(",")
    devices = tuple(Device(f"nvidia.com/gpu={name}", cdi=True) for name in names)
    if not all(_is_cdi_name(device.source) for device in devices):
        raise InvalidValue(option, text, "all, or the numbers of GPUs such as 0,1")
    return devices


def parse_device_rule(text: str) -> DeviceRule:
    """`--device-cgroup-rule 'TYPE MAJOR:MINOR PERMISSIONS'`, as the kernel's cgroup-v1/devices describes."""
    option = "--device-cgroup-rule"
    words = text.split(" ")
    if len(words) != 3 or words[0] not in {"a", "b", "c"}:
        raise InvalidValue(option, text, "'TYPE MAJOR:MINOR PERMISSIONS', such as 'c 189:* rwm'")
    major, colon, minor = words[1].partition(":")
    if not colon:
        raise InvalidValue(option, text, "MAJOR:MINOR, numbers or *")
    return DeviceRule(
        words[0],
        _number(option, major),
        _number(option, minor),
        _permissions(option, text, words[2]),
    )


def _permissions(option: str, text: str, letters: str) -> str:
    if not letters or len(set(letters)) != len(letters) or set(letters) - set(_ALL_PERMISSIONS):
        raise InvalidValue(option, text, "permissions are r, w and m, each at most once")
    return "".join(letter for letter in _ALL_PERMISSIONS if letter in letters)


def _number(option: str, text: str) -> int | None:
    return None if text == "*" else parse_integer(text, option, 0, _HIGHEST_NUMBER)


def _is_cdi_name(text: str) -> bool:
    """VENDOR/CLASS=NAME: a vendor like a domain, and words that begin and end with a letter or digit."""
    kind, equals, name = text.partition("=")
    vendor, slash, group = kind.partition("/")
    return bool(equals and slash and vendor[:1].isalpha()) and all(
        word and _NAME_CHARACTERS.issuperset(word) and word[0].isalnum() and word[-1].isalnum()
        for word in (vendor, group, name)
    )
