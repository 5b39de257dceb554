"""Who the container's command runs as: names from the image's own files, after the change of root.

The C library must not do it: it would load the container's name service modules into this process.
"""

from __future__ import annotations

import os
import stat

from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import mounts
from pod.spec import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAX_FILE_BYTES = 4 << 20
_PASSWD = "/etc/passwd"
_GROUP = "/etc/group"


class Identity(Record):
    """Numbers for setresuid(2) and setgroups(2), and where the user is at home. `groups` None keeps the caller's."""

    uid: int
    gid: int
    groups: tuple[int, ...] | None
    home: str
    is_known: bool


def resolve(text: str, extra_groups: list[str], fallback: dict[str, Any]) -> Identity:
    """The user that `text` ("name", "name:group", "1000:33", "") means in this root; "" is `process.user`.

    `extra_groups` are names or numbers of --group-add; "keep-groups" keeps those of the caller.
    """
    passwd, group = _read(_PASSWD), _read(_GROUP)
    if not text:
        text = f"{fallback.get('uid', 0)}:{fallback.get('gid', 0)}"
    found = users.lookup(text, passwd, group)
    if "keep-groups" in extra_groups:
        groups = None
    else:
        added = [users.lookup_group(name, group) for name in extra_groups]
        groups = tuple(dict.fromkeys([*found.groups, *added, *fallback.get("additionalGids", ())]))
    return Identity(found.uid, found.gid, groups, found.home or "/", found.is_known)


def with_home(environment: list[str], identity: Identity) -> list[str]:
    """The environment, with HOME when nobody has set it."""
    if any(entry.startswith("HOME=") for entry in environment):
        return environment
    return [*environment, f"HOME={identity.home}"]


def add_passwd_entry(identity: Identity, entry: str) -> None:
    """Show `entry` as a line of /etc/passwd when the image does not know the user; the image's file is not changed.

    `entry` may hold $UID, $GID and $HOME; "" adds nothing.
    """
    if not entry or identity.is_known:
        return
    line = entry.replace("$UID", str(identity.uid)).replace("$GID", str(identity.gid))
    line = line.replace("$HOME", identity.home).replace("$USERNAME", str(identity.uid))
    text = _read(_PASSWD)
    if text and not text.endswith("\n"):
        text += "\n"
    try:
        os.stat(_PASSWD)
    except FileNotFoundError:
        return  # nothing to show it over, and a program that needs the file would miss it anyway
    # A memfd cannot be bound; a file on a file system of our own, which the mount keeps alive, can.
    directory = "/dev"
    path = f"{directory}/.passwd"
    with open(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "w"
    ) as file:
        file.write(f"{text}{line}\n")
    os.chmod(path, 0o644)
    try:
        mounts.bind(path, _PASSWD, recursive=False)
    finally:
        os.unlink(path)


def _read(path: str) -> str:
    """A text file of the container; "" when it is missing. Pipes, devices and huge files are refused."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise PodError(f"'{path}' of the container cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE_BYTES:
            raise PodError(f"'{path}' of the container is not a file of users")
        return os.read(fd, _MAX_FILE_BYTES).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)
