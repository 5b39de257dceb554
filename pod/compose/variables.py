"""Which variables the files of a project use: `config --variables`."""

from __future__ import annotations

import os
import re

from pod.base.records import Record
from pod.compose import places, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.compose.places import Asked

_USE = re.compile(r"\$(?:\$|([a-zA-Z_]\w*)|\{([a-zA-Z_]\w*)(?:(:?[-?+])([^}]*))?\})")


class Variable(Record):
    name: str
    required: bool = False
    default: str = ""
    alternate: str = ""


def of_files(asked: Asked) -> list[Variable]:
    """The variables in the texts of the files, by name; of several uses the first that has a default."""
    found: dict[str, Variable] = {}
    for path in places.find(asked, os.environ).files:
        for document in tree.parse(places.read(path), places.shown(path), []):
            for _, value in tree.walk(document):
                if isinstance(value, str):
                    _collect(value, found)
    return [found[name] for name in sorted(found)]


def _collect(text: str, found: dict[str, Variable]) -> None:
    for match in _USE.finditer(text):
        name = match.group(1) or match.group(2)
        if not name:
            continue
        operator, rest = match.group(3) or "", match.group(4) or ""
        known = found.get(name, Variable(name))
        found[name] = known.replace(
            required=known.required or operator.endswith("?"),
            default=known.default or (rest if operator.endswith("-") else ""),
            alternate=known.alternate or (rest if operator.endswith("+") else ""),
        )
        _collect(rest, found)
