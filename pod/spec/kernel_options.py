"""The grammars of --ulimit and --sysctl, which the configuration has defaults of, so that every start reads some.

Source: podman-run(1), those options; getrlimit(2); namespaces(7) for which kernel parameter belongs to which namespace.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, UsageError
from pod.spec.resources import HIGHEST, HOST, ULIMIT_NAMES, UNLIMITED, Ulimit, exceeds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_IPC_SYSCTLS = frozenset(
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni "
    "kernel.shm_rmid_forced".split()
)


class SysctlNotAllowed(UsageError):
    """A kernel parameter that does not belong to a namespace of the container."""


def parse_ulimit(text: str) -> Ulimit:
    """`--ulimit NAME=SOFT[:HARD]`, -1 for no limit; or 'host'."""
    option = "--ulimit"
    if text == HOST:
        return Ulimit(HOST)
    name, _, values = text.partition("=")
    name = name.removeprefix("RLIMIT_").lower()
    soft_text, colon, hard_text = values.partition(":")
    if name not in ULIMIT_NAMES:
        raise InvalidValue(
            option, text, f"NAME=SOFT[:HARD] with one of {', '.join(ULIMIT_NAMES)}, or host"
        )
    soft = _number(soft_text, f"{option} {name}")
    hard = _number(hard_text, f"{option} {name}") if colon else soft
    if exceeds(soft, hard):
        raise InvalidValue(option, text, "the soft limit is above the hard limit")
    return Ulimit(name, soft, hard)


def _number(text: str, what: str) -> int:
    if text.isascii() and text.isdigit() and text[0] != "0" and int(text) <= HIGHEST:
        return int(text)
    from pod.base.units import parse_integer  # no default is written like that

    return parse_integer(text, what, UNLIMITED, HIGHEST)


def parse_ulimits(texts: Iterable[str]) -> tuple[Ulimit, ...]:
    """All `--ulimit` values; of several with one name the last."""
    return tuple({(ulimit := parse_ulimit(text)).name: ulimit for text in texts}.values())


def parse_sysctl(text: str) -> tuple[str, str]:
    """`--sysctl NAME=VALUE`, the name with dots, or with slashes as its path below /proc/sys has them."""
    name, equals, value = text.partition("=")
    first = min((position for mark in "./" if (position := name.find(mark)) >= 0), default=-1)
    if (
        first >= 0 and name[first] == "/"
    ):  # sysctl(8): then a dot stands for itself, and is a slash in the other
        name = name.translate({ord("/"): ".", ord("."): "/"})
    words = name.split(".")
    if not equals or "\0" in text or any(word in {"", "..", "."} for word in words) or "//" in name:
        raise InvalidValue("--sysctl", text, "NAME=VALUE, such as net.ipv4.ip_forward=1")
    return name.strip(), value.strip()


def check_sysctls(sysctls: Mapping[str, str], *, has_own_network: bool, has_own_ipc: bool) -> None:
    """Raise SysctlNotAllowed unless every parameter belongs to a namespace that the container has for itself."""
    for name in sysctls:
        if name.startswith("net."):
            if not has_own_network:
                raise SysctlNotAllowed(
                    f"sysctl '{name}' would change the network of the host, which the container shares"
                )
        elif name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
            if not has_own_ipc:
                raise SysctlNotAllowed(
                    f"sysctl '{name}' would change the IPC namespace of the host, which the container shares"
                )
        else:
            raise SysctlNotAllowed(
                f"sysctl '{name}' belongs to the whole machine",
                hint="a container has net.*, fs.mqueue.*, kernel.sem, kernel.msg* and kernel.shm* of its own",
            )
