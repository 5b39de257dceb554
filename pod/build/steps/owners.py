"""`--chown` and `--chmod`: names as the image knows them, and modes as chmod(1) has them."""

from __future__ import annotations

import os
import stat

from pod.base.errors import InvalidValue, PodError
from pod.linux import inroot
from pod.spec import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_BYTES = 4 << 20
_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111}


def find_owner(root_fd: int, text: str) -> tuple[int, int]:
    """USER[:GROUP], names or numbers, in the file system `root_fd`. A user alone brings the group of their own.

    Raises PodError for names that the image does not know.
    """
    user, _, group = text.partition(":")
    if user.isdecimal() and (group.isdecimal() or not group):
        return int(user), int(group or user)
    passwd, groups = _read(root_fd, "/etc/passwd"), _read(root_fd, "/etc/group")
    found = users.lookup(text if user else f"0:{group}", passwd, groups)
    gid = found.gid
    if user.isdecimal() and not group:
        gid = int(user)
    return found.uid, gid


def parse_mode(text: str) -> Callable[[int], int]:
    """What `--chmod` makes of a mode, whose kind counts for X. Raises InvalidValue."""
    if text and not text.strip("01234567") and len(text) <= 5:
        number = int(text, 8) & 0o7777
        return lambda _: number
    clauses = [_parse_clause(clause, text) for clause in text.split(",")]

    def change(mode: int) -> int:
        result = stat.S_IMODE(mode)
        for who, actions in clauses:
            for operator, letters in actions:
                bits = _bits_of(letters, who, result, is_directory=stat.S_ISDIR(mode))
                if operator == "=":
                    result = (result & ~(who & 0o777)) | bits
                elif operator == "+":
                    result |= bits
                else:
                    result &= ~bits
        return result

    return change


def _parse_clause(clause: str, text: str) -> tuple[int, list[tuple[str, str]]]:
    """Who, as a mask, and what: operators with their letters."""
    who, position = 0, 0
    while position < len(clause) and clause[position] in "ugoa":
        who |= 0o7777 if clause[position] == "a" else _WHO[clause[position]]
        position += 1
    actions: list[tuple[str, str]] = []
    for letter in clause[position:]:
        if letter in "+-=":
            actions.append((letter, ""))
        elif letter in "rwxXst" and actions:
            actions[-1] = (actions[-1][0], actions[-1][1] + letter)
        else:
            actions.clear()
            break
    if not actions:
        raise InvalidValue("--chmod", text, "a mode such as 755 or u=rwX,go=rX")
    return who or 0o7777, actions


def _bits_of(letters: str, who: int, mode: int, *, is_directory: bool) -> int:
    bits = 0
    for letter in letters:
        if letter == "X":
            bits |= 0o111 if is_directory or mode & 0o111 else 0
        elif letter == "s":
            bits |= 0o6000
        elif letter == "t":
            bits |= 0o1000
        else:
            bits |= _BITS[letter]
    return bits & who


def _read(root_fd: int, path: str) -> str:
    """A text file of the image; "" when it is missing."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        fd = inroot.open_at(root_fd, path, flags)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise PodError(f"'{path}' of the image cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            raise PodError(f"'{path}' of the image is not a file of users")
        return os.read(fd, status.st_size).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)
