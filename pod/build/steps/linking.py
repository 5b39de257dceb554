"""`COPY --link` and `ADD --link`: a layer that depends on nothing below it, so that it stays when that changes.

What it has to know of the stage are the owner by number, and what the directories on the way to the target are like:
those are in its layer as well, and above all others. No link on the way is followed: a directory takes its place.
Source: Dockerfile reference, "COPY --link".
"""

from __future__ import annotations

import os
import stat

from pod.base import plainjson
from pod.base.records import Record
from pod.build import files, keys, roots
from pod.build.steps.owners import find_owner
from pod.build.tasks import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from pod.build.builder import Builder
    from pod.build.state import StageState
    from pod.build.steps.copying import Settings
    from pod.build.steps.origins import Place

    Directory = tuple[str, int, int, int]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Known(Record):
    """See Settings of copying.py; `owner` has numbers."""

    owner: str = ""
    directories: tuple[Directory, ...] = ()


def look(
    builder: Builder, place: Place, state: StageState, settings: Settings
) -> Generator[Any, Any, Known]:
    """What a linked copy to these has to know; remembered for these very files of the stage. Raises PodError."""
    lowers = files.lowers(builder.store, state.files)
    if not lowers:
        return Known(settings.owner)
    inputs = {
        "files": state.files.key,
        "target": settings.target,
        "owner": settings.owner,
    }
    key = keys.of("linked", inputs)
    text = builder.cache.recall(key)
    if not text:
        mount_point = place.directory()
        driver = builder.store.rootfs.driver().name

        def work() -> str:
            roots.mount_to_read(lowers, mount_point, driver)
            return plainjson.dumps(_look(mount_point, settings))

        text = yield lambda: Job(builder.nest.start(work, what="look into a stage"))
        builder.cache.remember(key, text)
    owner, directories = plainjson.loads(text)
    return Known(owner, tuple((path, mode, uid, gid) for path, mode, uid, gid in directories))


def _look(root: str, settings: Settings) -> tuple[str, list[Directory]]:
    fd = os.open(root, _DIRECTORY)
    try:
        owner = ""
        if settings.owner:
            owner = ":".join(map(str, find_owner(fd, settings.owner)))
        return owner, _directories(fd, settings.target)
    finally:
        os.close(fd)


def _directories(root_fd: int, target: str) -> list[Directory]:
    """The root, and the directories on the way to `target`, up to the first that is none."""
    found: list[Directory] = []
    path, fd = "", os.dup(root_fd)
    try:
        for name in ("", *filter(None, target.split("/"))):
            if name:
                path += f"/{name}"
                try:
                    below = os.open(name, _DIRECTORY, dir_fd=fd)
                except OSError:
                    break
                os.close(fd)
                fd = below
            status = os.fstat(fd)
            found.append((path or "/", stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid))
    finally:
        os.close(fd)
    return found
