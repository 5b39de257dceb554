"""Who the container's command runs as: names from the image's own files, after the change of root.

The C library must not do it: it would load the container's name service modules into this process.
"""

from __future__ import annotations

import os
import stat

from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import inroot, mounts
from pod.spec import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_MAX_FILE_BYTES = 4 << 20
_PASSWD = "/etc/passwd"
_GROUP = "/etc/group"


class Identity(Record):
    """Numbers for setresuid(2) and setgroups(2), and the user as the image knows it; `groups` None keeps ours."""

    uid: int
    gid: int
    groups: tuple[int, ...] | None
    user: users.User
    asked_for_groups: bool = False  # by --group-add, not by the image


class Accounts:
    """The container's /etc/passwd and /etc/group: read once, given more lines, and shown with them by `show`.

    The image's own files are not changed, and a file that it does not have is not made. Used after the change of root.
    """

    def __init__(self) -> None:
        self._own_passwd = self._passwd = _read(_PASSWD)
        self._own_group = self._group = _read(_GROUP)

    def resolve(self, text: str, extra_groups: list[str], fallback: dict[str, Any]) -> Identity:
        """The user that `text` ("name", "name:group", "1000:33", "") means; "" is `process.user`.

        `extra_groups` are names or numbers of --group-add; "keep-groups" keeps those of the caller.
        """
        passwd, group = self._passwd, self._group
        found = users.lookup(text or f"{fallback['uid']}:{fallback['gid']}", passwd, group)
        groups: tuple[int, ...] | None = None
        if users.KEEP_GROUPS not in extra_groups:
            added = [users.lookup_group(name, group) for name in extra_groups]
            given = fallback.get("additionalGids", ())
            groups = tuple(dict.fromkeys([*found.groups, *added, *given]))
        return Identity(found.uid, found.gid, groups, found, bool(extra_groups))

    def add_caller(self, caller: dict[str, Any] | None) -> None:
        """Lines for the caller (create.py, "caller"), where the image has no such user and group.

        A name that the image uses for somebody else is not given twice: then the number is the name.
        """
        if caller is None:
            return
        login, group_name, gid = caller["name"], caller["group"], caller["gid"]
        if self._own_passwd:
            user = users.User(caller["uid"], gid, home=caller["home"])
            name = "" if users.has_user_name(self._passwd, login) else login
            self._passwd = users.with_user(self._passwd, user, name=name)
        if self._own_group:
            name = "" if users.has_group_name(self._group, group_name) else group_name
            self._group = users.with_group(self._group, gid, name=name, members=login)

    def add_users(self, lines: Iterable[str]) -> None:
        """Lines of passwd(5) for users whose name and number the image does not know."""
        for line in lines if self._own_passwd else ():
            name, _, uid, gid = line.split(":")[:4]
            if not users.has_user_name(self._passwd, name):
                user = users.User(int(uid), int(gid))
                self._passwd = users.with_user(self._passwd, user, entry=line)

    def add_passwd_entry(self, identity: Identity, entry: str | None) -> None:
        """A line for a user that the image does not know.

        `entry` is the line of --passwd-entry, "" for the usual one, None for --passwd=false.
        """
        if entry is not None and not identity.user.is_known and self._own_passwd:
            self._passwd = users.with_user(self._passwd, identity.user, entry=entry)

    def add_group_entry(self, identity: Identity, entry: str) -> None:
        """A line for the user's group, where the image knows none of this number; `entry` "" for no line."""
        if entry and self._own_group:
            name = identity.user.name or str(identity.uid)
            self._group = users.with_group(self._group, identity.gid, members=name, entry=entry)

    def show(self) -> None:
        """Mount what has got more lines over the files. Once: on a file without a name nothing can be mounted."""
        if self._passwd != self._own_passwd:
            _show(_PASSWD, self._passwd)
        if self._group != self._own_group:
            _show(_GROUP, self._group)


def with_home(environment: list[str], identity: Identity) -> list[str]:
    """The environment, with HOME when nobody has set it."""
    if any(entry.startswith("HOME=") for entry in environment):
        return environment
    return [*environment, f"HOME={identity.user.home}"]


def _show(path: str, content: str) -> None:
    """Put another content over a file of the image."""
    # Any file system of our own serves: the mount keeps the file when its name is gone.
    shown = f"/dev/.{os.path.basename(path)}"
    with open(shown, "x", encoding="utf-8", errors="surrogateescape") as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o644)
    try:
        covered = _in_root(path, os.O_PATH)
        try:
            mounts.bind(shown, mounts.fd_path(covered), recursive=False)
        finally:
            os.close(covered)
    finally:
        os.unlink(shown)


def _read(path: str) -> str:
    """A text file of the container; "" when it is missing. Pipes, devices and huge files are refused."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        fd = _in_root(path, flags)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise PodError(f"'{path}' of the container cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE_BYTES:
            raise PodError(f"'{path}' of the container is not a file of users")
        # Not more than its size, which is 0 for files of /proc: a link to /proc/self/environ would be our environment.
        return os.read(fd, status.st_size).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)


def _in_root(path: str, flags: int) -> int:
    """Open a file of the container without following what the kernel makes up, such as /proc/self/fd/0."""
    root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return inroot.open_at(root_fd, path, flags)
    finally:
        os.close(root_fd)
