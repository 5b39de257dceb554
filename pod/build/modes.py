"""`--chmod` of COPY and ADD: octal, or symbolic as chmod(1) has it, such as `u=rwX,go=rX` and `+x`.

Without u, g, o or a, the usual umask 022 keeps `w` from all but the owner, as BuildKit has it.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue
from pod.base.records import Record

_UMASK = 0o022
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}
_GRAMMAR = "an octal number such as 0755, or a change such as u=rwX,go=rX or +x"


class _Clause(Record):
    """`who` is "" where nobody was named; `permissions` are letters, or one of u, g, o to copy from."""

    who: str
    operator: str
    permissions: str


class ModeChange(Record):
    """What --chmod makes of a mode. Without `clauses`, `mode` is the answer."""

    mode: int = 0
    clauses: tuple[_Clause, ...] = ()

    def apply(self, mode: int, *, is_directory: bool) -> int:
        """The mode that a file with `mode` (permission bits alone) gets."""
        if not self.clauses:
            return self.mode
        for clause in self.clauses:
            mode = _applied(clause, mode, is_directory=is_directory)
        return mode


def parse_chmod(text: str) -> ModeChange:
    """Raises InvalidValue."""
    if text and not text.strip("01234567"):
        if len(text) > 6 or int(text, 8) > 0o7777:
            raise InvalidValue("--chmod", text, _GRAMMAR)
        return ModeChange(mode=int(text, 8))
    clauses = []
    for part in text.split(","):
        rest = part.lstrip("ugoa")
        who = part[: len(part) - len(rest)].replace("a", "ugo")
        if not rest or rest[0] not in "+-=":
            raise InvalidValue("--chmod", text, _GRAMMAR)
        while rest:
            operator = rest[0]
            permissions = rest[1:].partition("+")[0].partition("-")[0].partition("=")[0]
            rest = rest[1 + len(permissions) :]
            if permissions.strip("rwxXst") and permissions not in _SHIFTS:
                raise InvalidValue("--chmod", text, _GRAMMAR)
            clauses.append(_Clause(who=who, operator=operator, permissions=permissions))
    return ModeChange(clauses=tuple(clauses))


def _applied(clause: _Clause, mode: int, *, is_directory: bool) -> int:
    named = clause.who or "ugo"
    bits = affected = 0
    for letter in named:
        shift = _SHIFTS[letter]
        bits |= _permissions(clause.permissions, mode, is_directory=is_directory) << shift
        affected |= 7 << shift
    if "s" in clause.permissions:
        bits |= (0o4000 if "u" in named else 0) | (0o2000 if "g" in named else 0)
    if "t" in clause.permissions and (not clause.who or "o" in named):
        bits |= 0o1000
    if not clause.who:
        bits &= ~_UMASK
    if clause.operator == "+":
        return mode | bits
    if clause.operator == "-":
        return mode & ~bits
    # As chmod(1): each goes with the class that it is about; a directory keeps those of owner and group.
    special = 0
    for letter, bit in (("u", 0o4000), ("g", 0o2000), ("o", 0o1000)):
        special |= bit if letter in named and (letter == "o" or not is_directory) else 0
    return (mode & ~(affected | special)) | bits


def _permissions(letters: str, mode: int, *, is_directory: bool) -> int:
    if letters in _SHIFTS:
        return mode >> _SHIFTS[letters] & 7
    bits = 0
    for letter in letters:
        bits |= _BITS.get(letter, 0)
        if letter == "X" and (is_directory or mode & 0o111):
            bits |= 1
    return bits
