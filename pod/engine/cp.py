"""`pod cp`: files and trees between containers, this machine, and archives on standard input and output.

All of it happens in one child that is root of the default id map, where every container's ids are. Of a running
container it gets the root directory as an open descriptor; of one that does not run it mounts the file system for
itself. Paths of containers are resolved inside their root (linux/inroot.py), and nothing below is ever followed.
"""

from __future__ import annotations

import errno
import os
import stat

from pod.base import log, paths
from pod.base.errors import PodError, UsageError
from pod.engine import facts as host_facts
from pod.engine import files, lookup
from pod.engine.cp_child import Work
from pod.engine.cp_ends import STREAM, End, Location
from pod.linux import idmap, namespaces, processes
from pod.linux.namespaces import CLONE_NEWNS, CLONE_NEWUSER
from pod.spec import bundle
from pod.spec.userns_maps import relative_map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.engine.cp_ends import Options
    from pod.linux.idmap import IdMap
    from pod.state.containers import Container
    from pod.state.reconcile import Run

    Maps = tuple[IdMap, IdMap]

_PATH_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def copy(engine: Engine, source: Location, target: Location, options: Options) -> list[str]:
    """Copy, and give back warnings about what was left out. Call with a single thread.

    An archive comes from standard input and goes to standard output. Raises NoSuchContainer, UsageError, CannotCopy.
    """
    _check(source, target)
    names = sorted({location.container for location in (source, target)} - {""})
    held = {name: files.Held(engine, name) for name in names}
    # By id, as all locks of containers are taken; a container that was named in two ways is held once.
    entered: dict[str, files.Held] = {}
    ends: list[End] = []
    archive_fd = -1
    try:
        if source == Location("", STREAM):
            archive_fd = _incoming(engine, held[target.container].container)
        for one in sorted(held.values(), key=lambda it: it.container.id):
            if one.container.id not in entered:
                entered[one.container.id] = one.__enter__()
        ends = [end_of(engine, location, entered, held) for location in (source, target)]
        settle_namespace(ends)
        engine.close()
        return in_child(Work(ends[0], ends[1], options, archive_fd))
    except (OSError, PodError) as error:
        for one in entered.values():
            one.explain(error)
        raise
    finally:
        if archive_fd > 0:
            os.close(archive_fd)
        for end in ends:
            end.close()
        for one in entered.values():
            one.__exit__(None, None, None)


def _check(source: Location, target: Location) -> None:
    if not source.container and not target.container:
        raise UsageError(
            f"neither '{source}' nor '{target}' is in a container",
            hint="a path in a container is CONTAINER:PATH; cp copies on this machine",
        )
    for location in (source, target):
        if not location.path:
            raise UsageError("a path is empty", hint="CONTAINER:/ is the whole container")


def end_of(
    engine: Engine, location: Location, entered: dict[str, files.Held], held: dict[str, files.Held]
) -> End:
    """One end with what the child needs, which the caller closes. `held` by name, `entered` by id."""
    end = End(location)
    if not location.container:
        return end
    one = entered[held[location.container].container.id]
    container = one.container
    end.identity, end.user = container.id, container.config.user
    maps = host_facts.special_maps(engine, container.config)
    if maps is not None:
        bases = idmap.default_maps()
        end.maps = relative_map(maps[0], bases[0]), relative_map(maps[1], bases[1])
    if one.run is not None:
        with lookup.WhileItRuns(container, one.run):
            end.root_fd = _root_of(one.run)
            if one.root_mount().kind == "fuse-overlayfs":
                # Which nobody outside of it may see, fuse(4).
                path = namespaces.file_of(namespaces.holder(one.run.pid), "user")
                end.user_namespace_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    else:
        if os.path.exists(f"{one.directory}/{paths.MOUNTED_FILE}"):
            from pod.engine import mount

            mount.check_not_mounted(engine, container)
        description = one.root_mount()
        if description.apart:
            end.maps = None  # on disk its files have the ids that it sees
        document = {**description.to_json(), "kind": description.kind}
        end.mount = document, _mounts(engine, one), f"{one.directory}/{bundle.ROOT}"
    return end


def _root_of(run: Run) -> int:
    """The root directory of a running container, with all mounts that its processes see. Raises OSError."""
    fd = os.open(f"/proc/{namespaces.holder(run.pid)}/root", _PATH_DIRECTORY)
    if not lookup.is_alive(run):  # the number may be another's
        os.close(fd)
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return fd


def settle_namespace(ends: list[End]) -> None:
    """Say who is who in the user namespace that the work must be done in, if it is one of a container's own.

    With another map than the usual one its ids are those of the container, and only the caller's files are there
    besides, if the caller is somebody in it.
    """
    joined = {end.identity: end for end in ends if end.user_namespace_fd >= 0}
    if not joined:
        return
    if len(joined) > 1 or (len({end.identity for end in ends} - {""}) > 1 and _special(joined)):
        raise PodError(
            "fuse-overlayfs shows the files of a running container to its own user namespace only",
            hint="copy them in two steps, or stop the container",
        )
    (end,) = joined.values()
    if end.maps is None:
        return
    uid, gid = (_inside_of(0, extents) for extents in end.maps)
    local = any(not other.identity and other.location.path != STREAM for other in ends)
    if local and (uid is None or gid is None):
        raise PodError(
            f"files of container '{end.location.container}' cannot be copied to and from your directories while it "
            "runs: fuse-overlayfs shows them to its own user namespace only, where you are nobody",
            hint="pod stop it, or copy through an archive: pod cp CONTAINER:PATH - | tar x",
        )
    for each in ends:
        each.maps, each.own = None, (uid or 0, gid or 0)


def _special(joined: dict[str, End]) -> bool:
    return any(end.maps is not None for end in joined.values())


def _inside_of(intermediate: int, extents: IdMap) -> int | None:
    """The container's id of an intermediate one."""
    for inside, first, count in extents:
        if first <= intermediate < first + count:
            return inside + intermediate - first
    return None


def _mounts(engine: Engine, held: files.Held) -> list[dict[str, Any]]:
    """What a container that does not run has mounted: volumes and directories of the host, nothing in memory."""
    config = held.container.config
    facts = bundle.Facts(
        container_id=held.container.id,
        directory=held.directory,
        volumes=engine.paths.volumes,
        uid_maps=(),
        gid_maps=(),
        available_capabilities=(),
        own_limits={},
        image_layers=host_facts.image_layers(engine, config),
    )
    return [dict(entry) for entry in bundle.lasting_mounts(config, facts)]


def _incoming(engine: Engine, container: Container) -> int:
    """The archive on standard input: 0, or a file of it that has no name, which the caller closes.

    Whoever writes into the pipe may need the container that we would hold meanwhile: `pod cp c:/a - | pod cp - c:/b`.
    """
    if container.status == "active" or not stat.S_ISFIFO(os.fstat(0).st_mode):
        return 0
    from pod.base.files import write_all

    try:
        fd = os.open(engine.paths.root, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR}:
            raise
        fd = os.memfd_create("archive", os.MFD_CLOEXEC)  # NFS and others know no such files
    try:
        while chunk := os.read(0, 1 << 20):
            write_all(fd, chunk)
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd


def in_child(work: Work) -> list[str]:
    """Do the work where both ends have their files; its warnings, which have been told."""
    keep = {*work.source.descriptors, *work.target.descriptors}
    if work.archive_fd > 0:
        keep.add(work.archive_fd)
    joined = [end.user_namespace_fd for end in (work.source, work.target)]
    if max(joined) >= 0:
        warnings: list[str] = _in_namespace(work, keep, max(joined))
    else:
        warnings = idmap.run_inside(
            work.run,
            what="copy files",
            keep=keep,
            namespaces=CLONE_NEWNS,
            keep_groups=True,  # files of the caller's may be readable by one of them only
        )
    for warning in warnings:
        log.warning(warning)
    return warnings


def _in_namespace(work: Work, keep: set[int], user_namespace_fd: int) -> list[str]:
    """The same in a container's user namespace, see settle_namespace."""

    def run() -> list[str]:
        from pod.linux import mounts, syscalls
        from pod.runtime import security

        security.guard_before_joining()  # processes in the namespace must not trace us
        syscalls.setns(user_namespace_fd, CLONE_NEWUSER)
        idmap.become_root(keep_groups=True)
        syscalls.unshare(CLONE_NEWNS)
        mounts.set_propagation("/", "rprivate")
        return work.run()

    found: list[str] = processes.fork(run, what="copy files", keep=keep).result()
    return found
