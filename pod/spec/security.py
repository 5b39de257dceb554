"""What a container may do, and the capability sets that follow. What may be typed is in security_option.py.

Source: podman-run(1), "--security-opt", "--cap-add" and "--privileged"; capabilities(7).
"""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ALL = "ALL"


class SecurityOptions(Record):
    """All --security-opt values of one container."""

    seccomp: str = ""  # "" for the default profile, "unconfined", or the path of a profile
    apparmor: str = ""  # "" for the default profile, "unconfined", or the name of a profile
    labels: tuple[str, ...] = ()  # of SELinux: 'type:svirt_t', ...; or 'disable', 'nested'
    no_new_privileges: bool = False
    mask: tuple[str, ...] = ()  # paths
    unmask: tuple[str, ...] = ()  # paths, patterns, or ALL alone
    proc_options: tuple[str, ...] = ()  # for the mount of /proc: 'hidepid=2', ...


class Capabilities(Record):
    """The five sets of the OCI runtime configuration, names in the kernel's order."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


class CapabilityConflict(UsageError):
    """The same capability is added and dropped."""

    def __init__(self, name: str) -> None:
        super().__init__(f"capability '{name}' is both added and dropped")


def masked_paths(
    defaults: Iterable[str], options: SecurityOptions, *, privileged: bool = False
) -> tuple[str, ...]:
    """What is hidden: the defaults but for what is unmasked, and what --security-opt mask= adds."""
    if privileged:
        return ()
    kept = [path for path in defaults if not _is_unmasked(path, options.unmask)]
    return tuple(dict.fromkeys([*kept, *options.mask]))


def read_only_paths(
    defaults: Iterable[str], options: SecurityOptions, *, privileged: bool = False
) -> tuple[str, ...]:
    """What cannot be written although its mount can: the defaults but for what is unmasked."""
    if privileged:
        return ()
    return tuple(path for path in defaults if not _is_unmasked(path, options.unmask))


def _is_unmasked(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a pattern matches; as in a shell, * does not reach over a slash."""
    for pattern in patterns:
        if pattern in {ALL, path}:
            return True
        if any(character in pattern for character in "*?["):
            from fnmatch import fnmatchcase  # heavy

            steps, wanted = path.split("/"), pattern.split("/")
            if len(steps) == len(wanted) and all(map(fnmatchcase, steps, wanted)):
                return True
    return False


def effective_capabilities(
    defaults: Iterable[str],
    add: Iterable[str],
    drop: Iterable[str],
    *,
    privileged: bool,
    is_root: bool,
    available: Iterable[str] | None = None,
) -> Capabilities:
    """The sets of the container's first process. All names are as parse_capabilities gives them.

    `available` are the capabilities that the caller's bounding set and the kernel have, and no set has any other; None
    for all that pod knows. Root has the whole set as effective and permitted; another user what was added by name, as
    ambient too, and the rest only as the bound for set-user-id programs. The inheritable set of root stays empty
    (CVE-2022-24769).

    Raises CapabilityConflict.
    """
    from pod.linux.capabilities import NAMES  # heavy: ctypes, 3 ms

    added, dropped = set(add), set(drop)
    if both := added & dropped:
        raise CapabilityConflict(min(both))
    if ALL in dropped:
        wanted = added
    elif ALL in added or privileged:
        wanted = set(NAMES) - dropped
    else:
        wanted = (set(defaults) | added) - dropped
    possible = set(NAMES if available is None else available)
    bounding = tuple(name for name in NAMES if name in wanted & possible)
    if is_root:
        return Capabilities(bounding=bounding, effective=bounding, permitted=bounding)
    own = tuple(name for name in bounding if name in added or ALL in added)
    return Capabilities(bounding, effective=own, permitted=own, inheritable=own, ambient=own)
