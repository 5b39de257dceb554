"""Platforms: operating system, architecture and variant, as images declare them and as this machine is.

The words are Go's (GOOS, GOARCH), which the OCI image specification prescribes; the spellings of uname(2) are
understood too.
"""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue
from pod.base.records import Record

_ALIASES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", "v8"),
    "armhf": ("arm", "v7"),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armel": ("arm", "v6"),
    "armv5tel": ("arm", "v5"),
    "mips": ("mips", ""),
    "mips64": ("mips64", ""),
    "mips64el": ("mips64le", ""),
    "mipsel": ("mipsle", ""),
    "loongarch64": ("loong64", ""),
}
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")

# What runs on a processor of a variant, best first; the empty variant stands for an image that names none.
_RUNS = {
    ("arm", "v8"): ("v8", "v7", "v6", "v5", ""),
    ("arm", "v7"): ("v7", "", "v6", "v5"),
    ("arm", "v6"): ("v6", "v5", ""),
    ("arm", "v5"): ("v5", ""),
    ("arm", ""): ("v7", "", "v6", "v5", "v8"),
    ("arm64", "v8"): ("v8", ""),
    ("arm64", ""): ("", "v8"),
    ("amd64", ""): ("", "v1"),
    ("amd64", "v1"): ("v1", ""),
    ("amd64", "v2"): ("v2", "v1", ""),
    ("amd64", "v3"): ("v3", "v2", "v1", ""),
    ("amd64", "v4"): ("v4", "v3", "v2", "v1", ""),
}


class Platform(Record):
    """`variant` is empty where the architecture has none, or the image names none."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def rank_of(self, offered: Platform) -> int | None:
        """How well an image for `offered` suits this platform: 0 is best, None does not run."""
        if (offered.os, offered.architecture) != (self.os, self.architecture):
            return None
        runs = _RUNS.get((self.architecture, self.variant), (self.variant, ""))
        return runs.index(offered.variant) if offered.variant in runs else None


def host_platform() -> Platform:
    """The platform of this machine."""
    machine = os.uname().machine
    architecture, variant = _ALIASES.get(machine, (machine, ""))
    return Platform("linux", architecture, variant)


def parse_platform(text: str) -> Platform:
    """OS[/ARCH[/VARIANT]] or ARCH[/VARIANT], as `--platform` has it. Raises InvalidValue.

    A single word is an architecture, unless it is "linux".
    """
    parts = text.split("/")
    if len(parts) > 3 or not all(part and _ALLOWED.issuperset(part) for part in parts):
        raise InvalidValue("--platform", text, "it must look like linux/amd64 or linux/arm/v7")
    host = host_platform()
    if len(parts) == 1 and parts[0].lower() in ("linux", "local"):
        return host
    if len(parts) == 1 and not _is_architecture(parts[0]) and parts[0] != host.architecture:
        raise InvalidValue("--platform", text, "no such architecture; OS/ARCH is linux/amd64")
    if len(parts) == 1 or (len(parts) == 2 and _is_architecture(parts[0])):
        parts.insert(0, host.os)
    return platform_of(*parts)


def platform_of(os_name: str, architecture: str, variant: str = "") -> Platform:
    """From separate words, as `--os`, `--arch` and `--variant` have them; empty ones are the host's."""
    for option, word in (("--os", os_name), ("--arch", architecture), ("--variant", variant)):
        if not _ALLOWED.issuperset(word):
            raise InvalidValue(option, word, "letters and digits, such as linux, arm64, v8")
    host = host_platform()
    if not architecture:
        return Platform(os_name.lower() or host.os, host.architecture, variant or host.variant)
    word = architecture.lower()
    known, implied = _ALIASES.get(word, (word, ""))
    chosen = variant.lower() or implied
    if chosen and chosen[0].isdigit():
        chosen = f"v{chosen}"  # "arm/7", as docker accepts it
    return Platform(os_name.lower() or host.os, known, chosen)


def _is_architecture(word: str) -> bool:
    return word.lower() in _ALIASES or word.lower() in {known for known, _ in _ALIASES.values()}
