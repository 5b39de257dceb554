"""What is asked for the user namespace of a container: --userns, --uidmap, --gidmap.

Two steps, as podman-run(1) tells them under "--uidmap": an *intermediate* id is 0 for the caller and 1 and up for the
caller's subordinate ids, which is the map of every container that asks for nothing else; options say which
intermediate id a container's id is. For root, intermediate ids are the machine's own.
"""

from __future__ import annotations

from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

HIGHEST_ID = 4294967294
SMALLEST_AUTO = 1024  # ids, of --userns=auto without a size; podman's auto-userns-min-size


class IdMapping(Record):
    """`count` ids from `inside` on are the ids from `outside` on: intermediate ones, or the host's with `on_host`."""

    inside: int
    outside: int
    count: int = 1
    extends: bool = False  # "+": change the usual map instead of replacing it
    on_host: bool = False  # "@"
    only: str = ""  # "u" or "g": for uids or gids alone

    def __str__(self) -> str:
        marks = ("+" if self.extends else "") + self.only
        return f"{marks}{self.inside}:{'@' if self.on_host else ''}{self.outside}:{self.count}"


class UserNamespace(Record):
    """What --userns, --uidmap and --gidmap ask for."""

    mode: str = ""  # as typed: "", "host", "private", "keep-id", "nomap", "auto", "user", "container", "ns"; or "map"
    joined: str = ""  # container or path, for "container" and "ns"
    uid: int | None = None  # keep-id: who the caller is inside
    gid: int | None = None
    size: int = 0  # keep-id, auto: how many ids; 0 for all, or for what is needed
    uid_maps: tuple[IdMapping, ...] = ()
    gid_maps: tuple[IdMapping, ...] = ()
    start: int = (
        0  # auto: the first of the intermediate ids that were chosen; 0 as long as none are
    )

    nested: ClassVar = {"uid_maps": IdMapping, "gid_maps": IdMapping}
