"""User namespace id maps: subordinate ranges, newuidmap and newgidmap, and running a function inside the map.

See user_namespaces(7), subuid(5), newuidmap(1). A map is a tuple of extents (inside, outside, count), sorted by
`inside`; ids that no extent covers do not exist inside.
"""

from __future__ import annotations

import errno
import os
import pwd

from pod.base.errors import PodError
from pod.linux import processes
from pod.linux.namespaces import CLONE_NEWNS, CLONE_NEWUSER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Extent = tuple[int, int, int]
    IdMap = tuple[Extent, ...]


class IdMapError(PodError):
    """The kernel or a helper refused the map."""


def default_maps() -> tuple[IdMap, IdMap]:
    """The maps for uids and gids that every container gets unless asked otherwise.

    For root, its own ids one to one. For a user, 0 is the caller and 1 and up are the subordinate ids; without any,
    the caller alone (single-id mode).
    """
    if os.geteuid() == 0:
        return own_map("uid"), own_map("gid")
    return (
        stacked(os.geteuid(), subordinate_ranges("uid")),
        stacked(os.getegid(), subordinate_ranges("gid")),
    )


def stacked(first: int, ranges: Iterable[tuple[int, int]]) -> IdMap:
    """`first` as id 0, then the ranges (start, count) one after the other from 1 on."""
    extents: list[Extent] = [(0, first, 1)]
    inside = 1
    for start, count in ranges:
        extents.append((inside, start, count))
        inside += count
    return tuple(extents)


def own_map(kind: str) -> IdMap:
    """The ids of this process's own user namespace, one to one; `kind` is "uid" or "gid"."""
    with open(f"/proc/self/{kind}_map", encoding="utf-8") as file:
        rows = [tuple(map(int, line.split())) for line in file]
    return tuple((inside, inside, count) for inside, _, count in rows)


def subordinate_ranges(kind: str) -> list[tuple[int, int]]:
    """The caller's ranges (start, count) in /etc/subuid or /etc/subgid; empty when there are none.

    Both files name users by login name or number (subgid too: subgid(5)). Ranges that come from another NSS source are
    asked of getsubids(1), when it is installed.
    """
    uid = os.getuid()
    owners = {str(uid)}
    try:
        owners.add(pwd.getpwuid(uid).pw_name)
    except KeyError:
        pass
    ranges = []
    try:
        with open(f"/etc/sub{kind}", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                owner, _, rest = line.strip().partition(":")
                start, _, count = rest.partition(":")
                if owner in owners and start.isdecimal() and count.isdecimal() and int(count):
                    ranges.append((int(start), int(count)))
    except OSError:
        pass  # there is none, or it is not for us
    return ranges or _ranges_from_nss(kind, owners)


def _ranges_from_nss(kind: str, owners: set[str]) -> list[tuple[int, int]]:
    try:
        with open("/etc/nsswitch.conf", encoding="utf-8") as file:
            if not any(line.startswith("subid:") for line in file):
                return []
    except OSError:
        return []
    import subprocess  # heavy

    option = ["-g"] if kind == "gid" else []
    ranges = []
    for owner in owners:
        try:
            done = subprocess.run(
                ["getsubids", *option, owner], capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            return []
        for line in done.stdout.splitlines():  # "0: NAME START COUNT"
            fields = line.split()
            if len(fields) == 4:
                ranges.append((int(fields[2]), int(fields[3])))
    return ranges


def inside(maps: IdMap, outer: IdMap) -> IdMap:
    """The same ids for a user namespace that is nested in one with the map `outer`: its ids stand for the outer ones.

    An extent may not cross an extent of the parent, user_namespaces(7). Raises IdMapError for ids that `outer` has not.
    """
    nested: list[Extent] = []
    for first, wanted, count in maps:
        left = count
        while left:
            start = wanted + count - left
            found = next((it for it in outer if it[1] <= start < it[1] + it[2]), None)
            if found is None:
                raise IdMapError(
                    f"id {start} of the host is not among those that networks can be used with",
                    hint="run with --network pasta",
                )
            some = min(left, found[1] + found[2] - start)
            nested.append((first + count - left, found[0] + start - found[1], some))
            left -= some
    return tuple(nested)


def as_text(extents: IdMap) -> str:
    """A map as the files /proc/PID/uid_map and gid_map have it."""
    return "".join(f"{first} {outside} {count}\n" for first, outside, count in extents)


def map_ids(
    pid: int, uids: IdMap, gids: IdMap, meanwhile: Callable[[], None] | None = None
) -> None:
    """Give the user namespace of `pid` its id maps; `meanwhile` is called while helpers run.

    Call once, from outside that namespace, after the child has unshared it and before it changes its ids; the child
    must still be dumpable, since both helpers open its /proc files. Runs newuidmap and newgidmap at the same time.

    Raises IdMapError with the helper's own words. See user_namespaces(7), newuidmap(1).
    """
    if os.geteuid() == 0 or _needs_no_helper(uids, gids):
        _write_directly(pid, uids, gids)
        return
    helpers = [_start_helper("newuidmap", pid, uids)]
    try:
        helpers.append(_start_helper("newgidmap", pid, gids))
    except IdMapError:
        _await_helper(*helpers[0])
        raise
    if meanwhile is not None:
        meanwhile()
    failures = [text for helper in helpers if (text := _await_helper(*helper))]
    if failures:
        raise IdMapError(
            f"the ids of the container could not be mapped: {'; '.join(failures)}",
            hint="check that /etc/subuid and /etc/subgid have your ranges, and that newuidmap is set-uid root",
        )


def _needs_no_helper(uids: IdMap, gids: IdMap) -> bool:
    """Whether the kernel allows the maps without privilege: one id each, the caller's own."""
    return [extent[1:] for extent in uids + gids] == [(os.geteuid(), 1), (os.getegid(), 1)]


def _write_directly(pid: int, uids: IdMap, gids: IdMap) -> None:
    if os.geteuid() != 0:
        _write(
            f"/proc/{pid}/setgroups", "deny"
        )  # required before an unprivileged gid_map, Linux 3.19
    for kind, extents in (("uid", uids), ("gid", gids)):
        path = f"/proc/{pid}/{kind}_map"
        try:
            _write(path, as_text(extents))
        except OSError as error:
            raise IdMapError(
                f"the kernel refused the {kind} map of the container: {error.strerror}"
            ) from error


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _start_helper(program: str, pid: int, extents: IdMap) -> tuple[str, int, int]:
    read_fd, write_fd = os.pipe()
    arguments = [program, str(pid), *(str(number) for extent in extents for number in extent)]
    try:
        helper = os.posix_spawnp(
            program,
            arguments,
            {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            file_actions=[(os.POSIX_SPAWN_DUP2, write_fd, 2)],
        )
    except FileNotFoundError as error:
        os.close(read_fd)
        raise IdMapError(
            f"'{program}' is not installed, and ids cannot be mapped without it",
            hint="install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora)",
        ) from error
    finally:
        os.close(write_fd)
    return program, helper, read_fd


def _await_helper(program: str, helper: int, read_fd: int) -> str:
    """What the helper complained of; empty when it did its work."""
    with open(read_fd, "rb", buffering=0) as errors:
        text = errors.read().decode("utf-8", "replace").strip()
    _, status = os.waitpid(helper, 0)
    if status == 0:
        return ""
    return text or f"{program} ended with wait status {status}"


def run_inside(
    function: Callable[[], Any],
    *,
    what: str,
    maps: tuple[IdMap, IdMap] | None = None,
    keep: Iterable[int] = (),
    namespaces: int = CLONE_NEWNS,
    keep_groups: bool = False,
) -> Any:
    """Call `function` as root of a new user namespace with the given maps, in a child; its result.

    Files created there have subordinate owners; the caller's files belong to root. `keep` are the descriptors that the
    child may use. With `keep_groups` it keeps the caller's supplementary groups, for files of the host. The result must
    be plain values; exceptions are raised here again. As the real root, when the maps
    are its own, no user namespace is made.
    """
    return start_inside(
        function,
        what=what,
        maps=maps,
        keep=keep,
        namespaces=namespaces,
        keep_groups=keep_groups,
    ).result()


def start_inside(
    function: Callable[[], Any],
    *,
    what: str,
    maps: tuple[IdMap, IdMap] | None = None,
    keep: Iterable[int] = (),
    namespaces: int = CLONE_NEWNS,
    keep_groups: bool = False,
) -> processes.Child:
    """As run_inside, but return the running child; the caller collects its result."""
    from pod.linux import syscalls  # heavy; before the fork

    uids, gids = maps or default_maps()
    if is_own_map(uids, gids):
        return processes.fork(lambda: _unshare_and_call(namespaces, function), what=what, keep=keep)
    ready_read, ready_write = os.pipe()
    mapped_read, mapped_write = os.pipe()

    def inside() -> Any:
        syscalls.unshare(CLONE_NEWUSER)
        os.write(ready_write, b"u")
        os.close(ready_write)
        if os.read(mapped_read, 1) != b"m":
            os._exit(1)  # the parent failed and says why
        os.close(mapped_read)
        become_root(keep_groups=keep_groups)
        return _unshare_and_call(namespaces, function)

    child = processes.fork(inside, what=what, keep={ready_write, mapped_read, *keep})
    os.close(ready_write)
    os.close(mapped_read)
    try:
        if os.read(ready_read, 1) == b"u":
            map_ids(child.pid, uids, gids)
            os.write(mapped_write, b"m")
    except BaseException:
        child.kill()
        raise
    finally:
        os.close(ready_read)
        os.close(mapped_write)
    return child


def enter(uids: IdMap, gids: IdMap, *, namespaces: int = CLONE_NEWNS) -> None:
    """Make this very process root of a new user namespace with these maps, and of further `namespaces`.

    As run_inside for a process that goes on, such as one that executes another program. Call with a single thread. As
    the real root, when the maps are its own, no user namespace is made.
    """
    from pod.linux import syscalls

    if not is_own_map(uids, gids):
        ready_read, ready_write = os.pipe()
        own_pid = os.getpid()

        def map_parent() -> None:
            # From outside, as newuidmap wants it. End of file: the parent has failed, and says why.
            if os.read(ready_read, 1) == b"u":
                map_ids(own_pid, uids, gids)

        child = processes.fork(map_parent, what="map the ids", keep={ready_read})
        os.close(ready_read)
        try:
            syscalls.unshare(CLONE_NEWUSER)
            os.write(ready_write, b"u")
        finally:
            os.close(ready_write)
            child.result()
        become_root()
    _unshare_and_call(namespaces, lambda: None)


def is_own_map(uids: IdMap, gids: IdMap) -> bool:
    """Whether the maps are those of this process already, and it is root: then nothing needs to be mapped."""
    return os.geteuid() == 0 and (uids, gids) == (own_map("uid"), own_map("gid"))


def is_initial() -> bool:
    """Whether this process is root of the machine, not of a user namespace below."""
    return os.geteuid() == 0 and own_map("uid") == ((0, 0, 4294967295),)


def become_root(*, keep_groups: bool = False) -> None:
    """Take id 0 of the user namespace. Supplementary groups go, where the map allows it, unless `keep_groups`.

    A map without 0 leaves us who we are: the first process of a user namespace has all capabilities there anyway.
    """
    _take(os.setresgid)
    if not keep_groups:
        try:
            os.setgroups([])
        except PermissionError:
            pass  # single-id mode: setgroups is denied for good, user_namespaces(7)
    _take(os.setresuid)


def _take(become: Callable[[int, int, int], None]) -> None:
    try:
        become(0, 0, 0)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def _unshare_and_call(namespaces: int, function: Callable[[], Any]) -> Any:
    from pod.linux import syscalls

    if namespaces:
        syscalls.unshare(namespaces)
        if namespaces & CLONE_NEWNS:
            syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    return function()
