"""`RUN --mount`: what a command sees besides the files of its stage, none of which stays in the image.

What a mount is goes into the key of the step, and the content of binds does; that of secrets, agents and caches does
not. Contents of secrets are files in the run directory, in memory, for as long as the step takes.
"""

from __future__ import annotations

import os

from pod.base import files as base_files
from pod.base.errors import PodError
from pod.base.records import Record
from pod.build import effects, files, keys
from pod.build.credentials import content_of
from pod.build.dockerfile.errors import DockerfileError
from pod.build.sources import Wanted
from pod.build.steps import caches, copying, origins
from pod.build.tasks import Job
from pod.spec.mounts import Mount
from storage import mapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any

    from pod.build.builder import Builder
    from pod.build.dockerfile.instructions import Run
    from pod.build.dockerfile.run_options import Mount as Asked
    from pod.build.files import FileSystem
    from pod.build.state import StageState
    from pod.build.steps.origins import Place

_AGENT = "/run/buildkit/ssh_agent.{}"
_SECRET_MODE = 0o400
_SOCKET_MODE = 0o600


class Plan(Record):
    """The mounts of one RUN, of which the contents are known and nothing has been made yet."""

    asked: tuple[tuple[Asked, Origin | None], ...] = ()
    inputs: tuple[str, ...] = ()
    """What they mean for the key of the step."""


class Origin(Record):
    """What a bind mount shows, or a new cache begins with."""

    part: copying.Part
    system: FileSystem | None
    is_file: bool


class Made(Record):
    """Mounts in the grammar of containers, with the layers of those that are trees of several, and variables."""

    mounts: tuple[Mount, ...] = ()
    layers: Mapping[str, tuple[str, ...]] = {}
    variables: Mapping[str, str] = {}
    waits_for: tuple[str, ...] = ()
    """Paths of locks that the command must have."""


def plan(
    builder: Builder,
    place: Place,
    state: StageState,
    instruction: Run,
    asked: tuple[Asked, ...],
) -> Generator[Any, Any, Plan]:
    """Find out what the mounts are. Raises DockerfileError."""
    found: list[tuple[Asked, Origin | None]] = []
    inputs = []
    for given in asked:
        target = effects.resolved(state.config, given.target) if given.target else ""
        mount = given.replace(target=target)
        origin = None
        content = ""
        if mount.kind == "bind" or (mount.kind == "cache" and mount.from_):
            origin, content = yield from _origin(builder, place, instruction, mount)
        found.append((mount, origin))
        inputs.append(f"{mount.to_json()} {content}")
    return Plan(tuple(found), tuple(inputs))


def make(
    builder: Builder, place: Place, plan_: Plan, instruction: Run, undo: caches.Locks
) -> Generator[Any, Any, Made]:
    """Make what is mounted. Locks that are taken are given back by `undo`."""
    mounts: list[Mount] = []
    layers: dict[str, tuple[str, ...]] = {}
    variables: dict[str, str] = {}
    waits_for: list[str] = []
    for number, (asked, origin) in enumerate(plan_.asked):
        if asked.kind == "tmpfs":
            size = (f"size={asked.size_bytes}",) if asked.size_bytes else ()
            options = ("nosuid", "nodev", *size)
            mounts.append(Mount("tmpfs", asked.target, options=options, copy=False))
        elif asked.kind == "cache":
            path, lock = yield from _cache(builder, asked, origin, undo)
            waits_for += [lock] if lock else []
            mounts.append(Mount("bind", asked.target, path, read_only=asked.readonly))
        elif asked.kind == "secret":
            mounts += _secret(builder, place, asked, instruction, variables)
        elif asked.kind == "ssh":
            mounts += _ssh(builder, place, asked, instruction, variables, number)
        else:
            assert origin is not None
            mounts.append((yield from _bind(builder, place, asked, origin, layers, number)))
    return Made(tuple(mounts), layers=layers, variables=variables, waits_for=tuple(waits_for))


# bind


def _origin(
    builder: Builder, place: Place, instruction: Run, mount: Asked
) -> Generator[Any, Any, tuple[Origin, str]]:
    wanted = Wanted(sources=(mount.source or ".",), target=mount.target, place=instruction.place)
    part, system = yield from origins.part_of(builder, mount.from_, wanted)
    digest, is_file = yield from origins.describe(builder, place, part)
    return Origin(part, system, is_file), digest


def _bind(
    builder: Builder,
    place: Place,
    asked: Asked,
    origin: Origin,
    layers: dict[str, tuple[str, ...]],
    number: int,
) -> Generator[Any, Any, Mount]:
    subpath = os.path.normpath(f"/{asked.source}").lstrip("/")
    if builder.store.rootfs.driver().name != "overlay" or builder.options.run.runtime:
        # Which makes no overlays of ours.
        path = yield from _extracted(builder, place, origin)
        return Mount("bind", asked.target, path, read_only=asked.readonly)
    if origin.system is not None and not origin.is_file:
        name = f"tree-{number}"
        layers[name] = tuple(files.lowers(builder.store, origin.system))
        return Mount("image", asked.target, name, read_only=asked.readonly, subpath=subpath)
    path = origin.part.root
    if origin.system is not None or origin.part.rules or origin.is_file:
        # What ignore rules hide is not to be seen, and a file alone can be mounted as such.
        path = yield from _extracted(builder, place, origin)
    elif subpath:
        path = _inside(path, subpath)
    return Mount("bind", asked.target, path, read_only=asked.readonly, overlay=not asked.readonly)


def _extracted(builder: Builder, place: Place, origin: Origin) -> Generator[Any, Any, str]:
    """A copy of what an origin shows; the path of it."""
    directory, mount_point = place.directory(), place.directory()

    def work() -> str:
        return copying.extract(origin.part, mount_point, directory)

    name = yield lambda: Job(builder.nest.start(work, what="copy files"))
    return f"{directory}/{name}" if origin.is_file else directory


def _inside(root: str, path: str) -> str:
    """The path of a file below `root`, links followed inside it."""
    from pod.linux import inroot

    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = inroot.open_path(root_fd, path)
        try:
            return os.readlink(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
    finally:
        os.close(root_fd)


# cache


def _cache(
    builder: Builder, asked: Asked, origin: Origin | None, undo: caches.Locks
) -> Generator[Any, Any, tuple[str, str]]:
    """The directory of a cache mount, and the lock that the command waits for, if any."""
    identity = keys.digest(
        "\0".join([asked.id or asked.target, origin.part.identity if origin else "", asked.source])
    )
    cache = caches.take(builder.store, identity, asked.id or asked.target, asked.sharing, undo)
    if cache.is_new:
        uid, gid = asked.uid or 0, asked.gid or 0
        if origin is not None:
            mount_point = f"{cache.path}.from"
            os.mkdir(mount_point, 0o700)

            def work() -> str:
                return copying.extract(origin.part, mount_point, cache.path)

            try:
                yield lambda: Job(builder.nest.start(work, what="fill a cache"))
            finally:
                os.rmdir(mount_point)
        os.chmod(cache.path, 0o755 if asked.mode is None else asked.mode)
        mapped.give_files([(cache.path, uid, gid)], None)
        cache.complete()
    return cache.path, cache.lock


# secret and ssh


def _secret(
    builder: Builder, place: Place, asked: Asked, instruction: Run, variables: dict[str, str]
) -> list[Mount]:
    source = next((it for it in builder.options.secrets if it.id == asked.id), None)
    if source is None:
        if asked.required:
            raise DockerfileError(
                instruction.place,
                f"the secret '{asked.id}' is required and was not given",
                hint=f"pod build --secret id={asked.id},src=FILE",
            )
        return []
    content = content_of(source)
    if asked.env:
        variables[asked.env] = content.decode("utf-8", "surrogateescape")
    if not asked.target:
        return []
    path = place.hidden_file()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        base_files.write_all(fd, content)
        os.fchmod(fd, _SECRET_MODE if asked.mode is None else asked.mode)
    finally:
        os.close(fd)
    mapped.give_files([(path, asked.uid or 0, asked.gid or 0)], None)
    options = ("nosuid", "nodev", "noexec")
    return [Mount("bind", asked.target, path, read_only=True, options=options)]


def _ssh(
    builder: Builder,
    place: Place,
    asked: Asked,
    instruction: Run,
    variables: dict[str, str],
    number: int,
) -> list[Mount]:
    from pod.build.steps import ssh

    source = next((it for it in builder.options.ssh if it.id == asked.id), None)
    if source is None:
        if asked.required:
            raise DockerfileError(
                instruction.place,
                f"the agent '{asked.id}' is required and was not given",
                hint=f"pod build --ssh {asked.id}",
            )
        return []
    target = asked.target or _AGENT.format(number)
    path = ssh.socket_for(builder, source, place)
    mode = _SOCKET_MODE if asked.mode is None else asked.mode
    try:
        os.chmod(path, mode)
        mapped.give_files([(path, asked.uid or 0, asked.gid or 0)], None)
    except OSError as error:
        raise PodError(f"the socket of the agent '{asked.id}': {error.strerror}") from error
    variables["SSH_AUTH_SOCK"] = target
    return [Mount("bind", target, path)]
