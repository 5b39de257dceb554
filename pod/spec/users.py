"""Who a container runs as: the grammar of USER, --user and --group-add, and lookups in the container's own files.

The C library's lookups would load the container's modules, or read the host's files; so passwd(5) and group(5) are
parsed here, from text. Lines that are not of their form are passed over, as the C library does.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, PodError, UsageError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIGHEST_ID = 4294967294  # the number after it is -1: "no change"
KEEP_GROUPS = "keep-groups"
_NOT_IN_NAMES = frozenset(":, \t\n\0")


class UserSpec(Record):
    """USER[:GROUP] as typed; "" for what was left out."""

    user: str = ""
    group: str = ""


class User(Record):
    """A user as the container's files have it. `is_known` says whether passwd has the uid at all."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()  # supplementary ones
    name: str = ""
    home: str = "/"
    shell: str = ""
    is_known: bool = True


class UserNotFound(PodError):
    """The container's /etc/passwd has no such user."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"user '{name}' is not in the container's /etc/passwd",
            hint="give a number such as 1000:1000, which needs no entry",
        )


class GroupNotFound(PodError):
    """The container's /etc/group has no such group."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"group '{name}' is not in the container's /etc/group",
            hint="give a number, which needs no entry",
        )


def parse_user(text: str, option: str = "--user") -> UserSpec:
    """`USER[:GROUP]`, each a name or a number, and each may be missing; without a user it is root."""
    user, _, group = text.partition(":")
    spec = UserSpec(user, group)
    if not all(_is_word(word) for word in (user, group) if word):
        raise InvalidValue(option, text, f"USER[:GROUP], names or numbers up to {HIGHEST_ID}")
    return spec


def parse_group_add(texts: Iterable[str]) -> tuple[str, ...]:
    """All `--group-add` values: names, numbers, or keep-groups alone."""
    groups = tuple(dict.fromkeys(texts))
    for group in groups:
        if not group or not _is_word(group):
            raise InvalidValue(
                "--group-add", group, f"a name, a number up to {HIGHEST_ID}, or {KEEP_GROUPS}"
            )
    if KEEP_GROUPS in groups and len(groups) > 1:
        raise UsageError(f"--group-add {KEEP_GROUPS} excludes every other group")
    return groups


def lookup(text: str, passwd: str, group: str) -> User:
    """The user that `text` (USER[:GROUP]) means in a container with these contents of /etc/passwd and /etc/group.

    A name is looked for before a number. Who is in no line of passwd has group 0 and the home '/'. The groups that
    list the user are supplementary ones, unless a group is given, which then is the only one (as docker and podman).

    Raises UserNotFound, GroupNotFound.
    """
    spec = parse_user(text)
    user = _find_user(spec.user or "0", passwd)
    if spec.group:
        return user.replace(gid=lookup_group(spec.group, group))
    if not user.name:
        return user
    groups = [gid for _, gid, members in _groups(group) if user.name in members and gid != user.gid]
    return user.replace(groups=tuple(dict.fromkeys(groups)))


def lookup_group(text: str, group: str) -> int:
    """The number of the group `text`, a name or a number. Raises GroupNotFound for a name that `group` lacks."""
    for name, gid, _ in _groups(group):
        if name == text:
            return gid
    number = _number(text)
    if number is None:
        raise GroupNotFound(text)
    return number


def numbers_in(passwd: str, group: str) -> list[int]:
    """All ids in the contents of /etc/passwd and /etc/group."""
    found = [number for _, uid, gid, *_ in _users(passwd) for number in (uid, gid)]
    return found + [gid for _, gid, _ in _groups(group)]


def has_user_name(passwd: str, name: str) -> bool:
    return any(known == name for known, *_ in _users(passwd))


def has_group_name(group: str, name: str) -> bool:
    return any(known == name for known, *_ in _groups(group))


def group_name(gid: int, group: str) -> str:
    """The name that `group` has for a number; the number itself when it has none."""
    return next((name for name, number, _ in _groups(group) if number == gid), str(gid))


def with_user(passwd: str, user: User, *, name: str = "", entry: str = "") -> str:
    """The contents of /etc/passwd with a line for a user that it does not know, at the end; unchanged when it does.

    `name` is the login name to use, else the number. `entry` is a line of one's own (--passwd-entry), in which
    $USERNAME, $UID, $GID, $NAME and $HOME stand for their values.
    """
    if any(uid == user.uid for _, uid, *_ in _users(passwd)):
        return passwd
    name = name or str(user.uid)
    line = entry or "$USERNAME:*:$UID:$GID:$NAME:$HOME:/bin/sh"
    values = {"USERNAME": name, "UID": user.uid, "GID": user.gid, "NAME": name, "HOME": user.home}
    return _with_line(passwd, _filled(line, values))


def with_group(group: str, gid: int, *, name: str = "", members: str = "", entry: str = "") -> str:
    """The contents of /etc/group with a line for `gid`, if it has none; `entry` (--group-entry) as in with_user.

    In it, $GROUPNAME, $GID and $USERLIST stand for their values.
    """
    if any(number == gid for _, number, _ in _groups(group)):
        return group
    line = entry or "$GROUPNAME:x:$GID:$USERLIST"
    values = {"GROUPNAME": name or str(gid), "GID": gid, "USERLIST": members}
    return _with_line(group, _filled(line, values))


def _find_user(text: str, passwd: str) -> User:
    number = _number(text)
    found = None
    for name, uid, gid, home, shell in _users(passwd):
        if name == text:
            return User(uid, gid, (), name, home, shell)
        if found is None and uid == number:
            found = User(uid, gid, (), name, home, shell)
    if found is not None:
        return found
    if number is not None:
        return User(number, 0, is_known=False)
    if text == "root":  # an image without files still has a root
        return User(0, 0, name="root", is_known=False)
    raise UserNotFound(text)


def _users(passwd: str) -> Iterator[tuple[str, int, int, str, str]]:
    """(name, uid, gid, home, shell) of each line; passwd(5)."""
    for line in passwd.split("\n"):
        fields = line.split(":")
        if len(fields) < 4 or not fields[0]:
            continue
        uid, gid = _number(fields[2]), _number(fields[3])
        if uid is None or gid is None:
            continue
        home = fields[5] if len(fields) > 5 else ""
        yield fields[0], uid, gid, home or "/", fields[6] if len(fields) > 6 else ""


def _groups(group: str) -> Iterator[tuple[str, int, list[str]]]:
    """(name, gid, members) of each line; group(5)."""
    for line in group.split("\n"):
        fields = line.split(":")
        gid = _number(fields[2]) if len(fields) > 2 and fields[0] else None
        if gid is not None:
            yield fields[0], gid, fields[3].split(",") if len(fields) > 3 else []


def _number(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= HIGHEST_ID:
        return int(text)
    return None


def _is_word(text: str) -> bool:
    """Whether a user or group can be called so; a number too large is neither a name nor an id."""
    if text.isascii() and text.isdigit():
        return _number(text) is not None
    return text[0] not in "-+" and _NOT_IN_NAMES.isdisjoint(text)


def _filled(line: str, values: dict[str, object]) -> str:
    for variable, value in values.items():
        # A home with a colon or a new line, out of an image, must not become another field or another user.
        text = str(value).replace(":", "_").replace("\n", "_")
        line = line.replace(f"${variable}", text)
    return line


def _with_line(contents: str, line: str) -> str:
    separator = "" if not contents or contents.endswith("\n") else "\n"
    return f"{contents}{separator}{line}\n"
