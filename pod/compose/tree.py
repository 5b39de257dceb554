"""The values of a compose file, each with the place that it comes from; YAML in, plain values with lines out.

What a plain scalar means follows YAML 1.2 with the octal numbers of 1.1 (mode: 0440), as docker compose reads it:
`yes` and `22:22` are texts. Merge keys (`<<`), anchors and the tags `!reset` and `!override` are understood here.
"""

from __future__ import annotations

import re

from pod.compose.errors import FileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pod.compose.errors import Place

_MOST_VALUES = 200_000
"""More than any file has; aliases of aliases can make billions of a few lines."""
_INTEGER = re.compile(r"[-+]?(0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_BASE_60 = re.compile(r"[0-9]+:[0-5]?[0-9]\Z")
_STRANGE_NUMBERS = {
    ".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip
_YAML = "tag:yaml.org,2002:"


class Table(dict):  # type: ignore[type-arg]  # str -> Any; generic classes need typing
    """A mapping. `at` has the places of its keys, `place` is its own."""

    __slots__ = ("at", "place")

    def __init__(self, values: Any = (), place: Place = ("", 0)) -> None:
        super().__init__(values)
        self.at: dict[str, Place] = {}
        self.place = place

    def put(self, key: str, value: Any, place: Place) -> None:
        self[key] = value
        self.at[key] = place

    def place_of(self, key: str) -> Place:
        return self.at.get(key, self.place)


class Items(list):  # type: ignore[type-arg]
    """A sequence, with the places of its items in `at`."""

    __slots__ = ("at", "place")

    def __init__(self, values: Any = (), place: Place = ("", 0)) -> None:
        super().__init__(values)
        self.at: list[Place] = []
        self.place = place

    def put(self, value: Any, place: Place) -> None:
        self.append(value)
        self.at.append(place)

    def place_of(self, index: int) -> Place:
        return self.at[index] if index < len(self.at) else self.place


class Reset:
    """`!reset`: what other files said under this key is taken back."""


class Override:
    """`!override`: the value takes the place of what other files said, without being merged."""

    def __init__(self, value: Any) -> None:
        self.value = value


def place_in(container: Any, key: Any) -> Place:
    """Where a key or an item stands."""
    if isinstance(container, (Table, Items)):
        place: Place = container.place_of(key)
        return place
    return ("", 0)


def parse(data: bytes, name: str, warnings: list[str]) -> list[Any]:
    """The documents of a file, whose `name` is for messages. Raises FileError."""
    from pod.spec.yaml_text import parse_nodes

    try:
        nodes = parse_nodes(data)
    except ValueError as error:
        text = str(error)
        line, _, problem = text.removeprefix("line ").partition(": ")
        place = (name, int(line)) if text.startswith("line ") and line.isdecimal() else (name, 0)
        raise FileError(place, (), f"it is not YAML: {problem if place[1] else text}") from error
    reader = _Reader(name, warnings)
    return [reader.value(node) for node in nodes if node is not None]


class _Reader:
    def __init__(self, name: str, warnings: list[str]) -> None:
        self.name = name
        self.warnings = warnings
        self.count = 0
        self.open: set[int] = set()  # nodes that are being read: an alias to one of them has no end

    def value(self, node: Any) -> Any:
        place = self.place(node)
        self.count += 1
        if self.count > _MOST_VALUES:
            raise FileError(
                place, (), f"the file has more than {_MOST_VALUES} values, counting its aliases"
            )
        if id(node) in self.open:
            raise FileError(place, (), "an alias refers to what it is part of")
        tag = str(node.tag)
        if tag == "!reset":
            return Reset()
        self.open.add(id(node))
        try:
            value = self._untagged(node, place, tag)
        finally:
            self.open.discard(id(node))
        return Override(value) if tag == "!override" else value

    def _untagged(self, node: Any, place: Place, tag: str) -> Any:
        if isinstance(node.value, str):
            return self._scalar(node, place, tag)
        if (node.value and isinstance(node.value[0], tuple)) or tag == f"{_YAML}map":
            return self._table(node, place)
        if type(node).__name__ == "MappingNode":
            return Table(place=place)
        items = Items(place=place)
        for child in node.value:
            items.put(self.value(child), self.place(child))
        return items

    def _table(self, node: Any, place: Place) -> Table:
        table = Table(place=place)
        merged: list[Any] = []
        for key_node, value_node in node.value:
            at = self.place(key_node)
            if not isinstance(key_node.value, str):
                raise FileError(at, (), "a key is a text, not a list or a mapping")
            if str(key_node.tag) == f"{_YAML}merge":
                merged += self._merges(value_node)
                continue
            key = key_node.value
            if key in table:
                first = table.at[key][1]
                raise FileError(at, (key,), f"the key is there already, in line {first}")
            table.put(key, self.value(value_node), at)
        for other in merged:
            for key in other:
                if key not in table:
                    table.put(key, other[key], other.place_of(key))
        return table

    def _merges(self, node: Any) -> list[Table]:
        found = self.value(node)
        tables = found if isinstance(found, Items) else [found]
        for table in tables:
            if not isinstance(table, Table):
                raise FileError(
                    self.place(node), ("<<",), "a mapping is merged, or a list of mappings"
                )
        return list(tables)

    def _scalar(self, node: Any, place: Place, tag: str) -> Any:
        text: str = node.value
        if tag.startswith("!") and tag != "!override":
            raise FileError(place, (), f"the tag {tag} is not known; there are !reset, !override")
        if tag == f"{_YAML}str" and node.style is None and _BASE_60.match(text):
            self.warnings.append(
                f"{self.name}:{place[1]}: {text} without quotes is a number with the base 60 for older programs: "
                f'write "{text}"'
            )
        if node.style is not None or tag in {f"{_YAML}binary", "!override"}:
            return text
        return plain_scalar(text)

    def place(self, node: Any) -> Place:
        return self.name, node.start_mark.line + 1


def plain_scalar(text: str) -> Any:
    """What a scalar without quotes means."""
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in {"true", "True", "TRUE"}:
        return True
    if text in {"false", "False", "FALSE"}:
        return False
    if _INTEGER.match(text):
        digits = text.lstrip("+-")
        if digits[:2] not in {"0o", "0x"} and digits[0] == "0" and len(digits) > 1:
            if set(digits) <= set("01234567"):
                return int(text, 8)
            return int(text)
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    return _STRANGE_NUMBERS.get(text.lower(), text)


def text_of(value: Any) -> str:
    """A scalar as text, as Go prints it: true, 1, 0.5."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    return str(value)


def plain(value: Any) -> Any:
    """The same without places: dictionaries, lists and scalars."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value of a tree with the keys that lead to it, the outer ones first."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from walk(inner, (*path, index))
