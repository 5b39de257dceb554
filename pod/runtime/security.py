"""What a container may do: steps of `init.py` and `join.py` that limit the process before it becomes the command.

Each function acts on the calling process. See capabilities(7), seccomp(2), keyrings(7), apparmor(7).
"""

from __future__ import annotations

import errno
import os
import resource
import sys

from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import capabilities, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.runtime.user import Identity


# The flags of a filter, as linux.seccomp.flags names them. TSYNC changes nothing for a process with one thread.
SECCOMP_FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 0,
    "SECCOMP_FILTER_FLAG_LOG": syscalls.SECCOMP_FILTER_FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": syscalls.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
}


class CapabilitySets(Record):
    """Bit masks, as capset(2) takes them."""

    bounding: int
    effective: int
    permitted: int
    inheritable: int
    ambient: int


def capability_sets(config: dict[str, list[str]]) -> CapabilitySets:
    """The `process.capabilities` object of the OCI runtime configuration as bit masks."""

    def bits(name: str) -> int:
        return capabilities.mask(config.get(name) or ())

    return CapabilitySets(
        bounding=bits("bounding"),
        effective=bits("effective"),
        permitted=bits("permitted"),
        inheritable=bits("inheritable"),
        ambient=bits("ambient"),
    )


def new_keyring(container_id: str) -> None:
    """An empty session keyring, so that the caller's keys stay outside; kernels without keyrings have none to hide."""
    try:
        syscalls.join_session_keyring(f"_ses.{container_id}")
    except OSError as error:
        # EDQUOT: the user's quota of keys is used up; the container then keeps a keyring it cannot search as root.
        if error.errno not in {errno.ENOSYS, errno.EDQUOT, errno.EPERM, errno.EACCES}:
            raise


def read_program(path: str | None) -> bytes | None:
    """The compiled seccomp filter, eight bytes an instruction; None for unconfined."""
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def forget_imports() -> None:
    """From now on `import` finds nothing: the files it would find belong to the container."""
    sys.meta_path.clear()
    sys.path.clear()
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()


def adjust_oom_score(score: int | None) -> None:
    """Set /proc/self/oom_score_adj; without privileges it can only rise, so a lower value becomes the present one."""
    if score is None:
        return
    fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    try:
        present = int(os.read(fd, 16))
        os.write(fd, str(score).encode())
    except PermissionError:
        if score > present:
            raise
    finally:
        os.close(fd)


def set_profile(name: str | None) -> None:
    """The AppArmor profile that the next execve enters."""
    if not name:
        return
    paths = ("/proc/self/attr/apparmor/exec", "/proc/self/attr/exec")
    path = next(filter(os.path.exists, paths), paths[-1])
    try:
        # The kernel says ENOENT of a profile as well.
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"exec {name}")
    except OSError as error:
        raise PodError(
            f"AppArmor profile '{name}' was not accepted: {error.strerror}",
            hint="load it with apparmor_parser, or use --security-opt apparmor=unconfined",
        ) from error


def set_limits(limits: list[dict[str, Any]]) -> None:
    """`process.rlimits`: soft limits up to the caller's hard ones, since only the machine's root may raise those."""
    for limit in limits:
        number = getattr(resource, limit["type"], None)
        if number is None:
            raise PodError(f"limit '{limit['type']}' is not known to this kernel")
        soft, hard = _resource_value(limit["soft"]), _resource_value(limit["hard"])
        try:
            resource.setrlimit(number, (soft, hard))
        except (ValueError, OSError):
            present = resource.getrlimit(number)[1]
            hard = _lower(hard, present)
            resource.setrlimit(number, (_lower(soft, hard), hard))


def _resource_value(value: int) -> int:
    """The OCI document has unsigned numbers, the resource module signed ones: infinity is -1 there."""
    return resource.RLIM_INFINITY if value < 0 or value >= 2**63 - 1 else value


def _lower(left: int, right: int) -> int:
    if left == resource.RLIM_INFINITY:
        return right
    return left if right == resource.RLIM_INFINITY else min(left, right)


def write_sysctls(values: dict[str, str]) -> None:
    """`linux.sysctl`: kernel parameters of the container's own namespaces."""
    for name, value in values.items():
        try:
            with open(sysctl_path(name), "w", encoding="utf-8") as file:
                file.write(value)
        except OSError as error:
            raise PodError(
                f"sysctl '{name}' cannot be set to '{value}': {error.strerror}",
                hint="only parameters of the container's own network, IPC and UTS namespaces can be set",
            ) from error


def sysctl_path(name: str) -> str:
    """The file of a kernel parameter. A slash in its name is a dot there: "eth0/100" for eth0.100, sysctl.d(5)."""
    return "/proc/sys/" + name.translate({ord("."): "/", ord("/"): "."})


def give_up_privileges(
    process: dict[str, Any],
    identity: Identity,
    seccomp_program: bytes | None,
    last_capability: int,
    seccomp_flags: int = 0,
) -> None:
    """Filter, capabilities and user of the OCI `process`, in the only order that works.

    The filter needs CAP_SYS_ADMIN unless no_new_privs is set, and comes last where it can, since it may forbid what is
    done here; the bounding set needs CAP_SETPCAP; the change of user needs CAP_SETUID; what remains is set then.
    """
    no_new_privileges = bool(process.get("noNewPrivileges"))
    if no_new_privileges:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    elif seccomp_program:
        syscalls.seccomp_set_filter(seccomp_program, seccomp_flags)
    sets = capability_sets(process.get("capabilities", {}))
    capabilities.limit_bounding(sets.bounding, last_capability)
    become(identity)
    capabilities.apply(sets.effective, sets.permitted, sets.inheritable, sets.ambient)
    if seccomp_program and no_new_privileges:
        syscalls.seccomp_set_filter(seccomp_program, seccomp_flags)


def become(identity: Identity) -> None:
    """Take the container user's ids, keeping permitted capabilities over the change for the caller to reduce."""
    syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
    try:
        os.setresgid(identity.gid, identity.gid, identity.gid)
    except OSError as error:
        raise _no_such_id("group", identity.gid, error) from error
    if identity.groups is not None:  # else those of the caller, which become_root has kept
        try:
            os.setgroups(identity.groups)
        except PermissionError:
            if identity.asked_for_groups:
                raise PodError(
                    "supplementary groups cannot be set without subordinate ids",
                    hint="leave --group-add out, or add ranges to /etc/subuid and /etc/subgid",
                ) from None
        except OSError as error:
            raise _no_such_id("group", _missing_group(identity.groups), error) from error
    try:
        os.setresuid(identity.uid, identity.uid, identity.uid)
    except OSError as error:
        raise _no_such_id("user", identity.uid, error) from error


def _missing_group(groups: tuple[int, ...]) -> int:
    """The first of the groups that has no id in this user namespace."""
    for group in groups:
        try:
            os.setgroups([group])
        except OSError:
            return group
    return -1


def _no_such_id(kind: str, number: int, error: OSError) -> Exception:
    if error.errno != errno.EINVAL:
        return error
    return PodError(
        f"the {kind} {number} cannot be taken: the container's id map does not have it",
        hint="choose another with --user or --userns, or add ranges to /etc/subuid and /etc/subgid: "
        "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME",
    )


def close_on_exec(first: int) -> None:
    """Mark every descriptor from `first` on, so that none reaches the command.

    Best without /proc, which in the container may be something else; all that we open ourselves is marked anyway.
    """
    try:
        syscalls.close_range(first, 2**32 - 1, syscalls.CLOSE_RANGE_CLOEXEC)
        return
    except OSError as error:
        # EINVAL: before Linux 5.11. EPERM: the container's own filter.
        if error.errno not in {errno.ENOSYS, errno.EINVAL, errno.EPERM}:
            raise
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd >= first:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                pass  # the one that listed the directory


def guard_before_joining() -> None:
    """Before entering a PID namespace with processes of a container: they may not trace us or open our files."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
