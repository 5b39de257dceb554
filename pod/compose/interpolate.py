"""Variables in the texts of a compose file: $NAME, ${NAME} with its operators, $$ for a dollar.

Source: the Compose specification, 12-interpolation. Operators, of which those with a colon take an empty value for
none: ${V:-default} ${V-default} ${V:?message} ${V?message} ${V:+replacement} ${V+replacement}; what follows them may
have variables itself.
"""

from __future__ import annotations

import re

from pod.compose.errors import FileError
from pod.compose.tree import Items, Override, Table
from pod.compose.validity import Filled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pod.compose.errors import Place

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")


class Unset(Exception):
    """${NAME?message}: the variable is not set."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Malformed(Exception):
    """The text is none of the forms above."""


def substitute(
    text: str, variables: Mapping[str, str], missing: Callable[[str], None] | None = None
) -> str:
    """`text` with its variables filled in; `missing` is told of each that has no value and no default.

    Raises Unset, Malformed.
    """
    if "$" not in text:
        return text
    return _Text(text, variables, missing or (lambda name: None)).all()


class _Text:
    def __init__(
        self, text: str, variables: Mapping[str, str], missing: Callable[[str], None]
    ) -> None:
        self.text = text
        self.variables = variables
        self.missing = missing
        self.position = 0

    def all(self) -> str:
        return self._until_end(inside=False, wanted=True)

    def _until_end(self, *, inside: bool, wanted: bool) -> str:
        """To the end of the text, or `inside` braces to the one that closes; `wanted` tells whether it is used."""
        out = []
        depth = 0
        while self.position < len(self.text):
            letter = self.text[self.position]
            if letter == "$":
                out.append(self._variable(wanted=wanted))
                continue
            if inside and letter == "{":
                depth += 1
            elif inside and letter == "}":
                if not depth:
                    return "".join(out)
                depth -= 1
            out.append(letter)
            self.position += 1
        if inside:
            raise Malformed("a closing brace is missing")
        return "".join(out)

    def _variable(self, *, wanted: bool) -> str:
        self.position += 1
        following = self.text[self.position : self.position + 1]
        if following == "$":
            self.position += 1
            return "$"
        if following == "{":
            self.position += 1
            return self._braced(wanted=wanted)
        name = self._name()
        if not name:
            raise Malformed("a dollar sign is written $$")
        return self._value(name, wanted=wanted)

    def _name(self) -> str:
        match = _NAME.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match.group()

    def _braced(self, *, wanted: bool) -> str:
        name = self._name()
        if not name:
            raise Malformed("the name of a variable follows ${")
        if self.text[self.position : self.position + 1] == "}":
            self.position += 1
            return self._value(name, wanted=wanted)
        match = _OPERATOR.match(self.text, self.position)
        if match is None:
            if "}" not in self.text[self.position :]:
                raise Malformed("a closing brace is missing")
            raise Malformed(f"'{self.text[self.position]}' cannot follow ${{{name}")
        operator = match.group()
        self.position = match.end()
        value = self.variables.get(name)
        is_there = bool(value) if operator[0] == ":" else value is not None
        kind = operator[-1]
        other_wanted = wanted and is_there == (kind == "+")
        other = self._until_end(inside=True, wanted=other_wanted)
        self.position += 1
        if kind == "?" and wanted and not is_there:
            raise Unset(name, other)
        if kind == "+":
            return other if is_there else ""
        return value or "" if is_there else other

    def _value(self, name: str, *, wanted: bool) -> str:
        value = self.variables.get(name)
        if value is None and wanted:
            self.missing(name)
        return value or ""


def interpolated(
    value: Any,
    variables: Mapping[str, str],
    missing: Callable[[str], None],
    *,
    path: tuple[Any, ...] = (),
    place: Place = ("", 0),
    skip: Callable[[tuple[Any, ...]], bool] = lambda path: False,
) -> Any:
    """A tree with the variables of all its texts filled in; keys stay as they are. Raises FileError."""
    if isinstance(value, str):
        if "$" not in value or skip(path):
            return value
        return _filled(value, variables, missing, path, place)
    if isinstance(value, Override):
        return Override(
            interpolated(value.value, variables, missing, path=path, place=place, skip=skip)
        )
    if isinstance(value, Table):
        table = Table(place=value.place)
        for key, inner in value.items():
            at = value.place_of(key)
            inner_path = (*path, key)
            new = interpolated(inner, variables, missing, path=inner_path, place=at, skip=skip)
            table.put(key, new, at)
        return table
    if isinstance(value, Items):
        items = Items(place=value.place)
        for index, inner in enumerate(value):
            at = value.place_of(index)
            new = interpolated(inner, variables, missing, path=(*path, index), place=at, skip=skip)
            items.put(new, at)
        return items
    return value


def _filled(
    text: str,
    variables: Mapping[str, str],
    missing: Callable[[str], None],
    path: tuple[Any, ...],
    place: Place,
) -> str:
    try:
        return Filled(substitute(text, variables, missing))
    except Unset as error:
        said = str(error) or "it has to be set"
        raise FileError(
            place,
            path,
            f"the variable '{error.name}' is needed: {said}",
            hint=f"{error.name}=... pod compose ..., or a line in .env",
        ) from error
    except Malformed as error:
        raise FileError(place, path, f"'{text}' cannot be read: {error}") from error
