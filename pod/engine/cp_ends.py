"""The two ends of a `pod cp`, as they are typed and as the child that copies gets them."""

from __future__ import annotations

import os

from pod.base.errors import UsageError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.linux.idmap import IdMap

    Maps = tuple[IdMap, IdMap]

STREAM = "-"


class Options(Record):
    """archive: owners are kept. overwrite: directories and other files may take each other's place."""

    archive: bool = False
    overwrite: bool = False


class Location(Record):
    """One end: a path of a container, or of this machine when `container` is ""; STREAM for an archive."""

    container: str
    path: str

    def __str__(self) -> str:
        return f"{self.container}:{self.path}" if self.container else self.path


def parse(text: str) -> Location:
    """CONTAINER:PATH, or a path of this machine, which begins with "/" or "." when it has a colon (docker-cp(1))."""
    if text.startswith(("/", ".")) or ":" not in text:
        return Location("", text)
    container, _, path = text.partition(":")
    if not container or not path:
        raise UsageError(
            f"'{text}' is not CONTAINER:PATH", hint="a path of this machine with a colon: ./NAME"
        )
    return Location(container, path)


class End:
    """One end with all that the child needs of it: the descriptor of a root, or what to mount."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self.identity = ""  # of the container
        self.root_fd = -1
        self.user_namespace_fd = (
            -1
        )  # the only one from which its root can be seen, if there is such a one
        self.mount: tuple[dict[str, Any], list[dict[str, Any]], str] | None = None
        self.maps: Maps | None = None  # of a container with an own id map, in intermediate ids
        self.user = ""
        self.own = (0, 0)  # who the caller is where the work is done

    @property
    def descriptors(self) -> list[int]:
        return [fd for fd in (self.root_fd, self.user_namespace_fd) if fd >= 0]

    def close(self) -> None:
        for fd in self.descriptors:
            os.close(fd)
        self.root_fd = self.user_namespace_fd = -1
