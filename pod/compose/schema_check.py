"""Compose files held against the published JSON schema of the specification (pod/compose/schema/, with its licence).

The schema says what is allowed, and the package jsonschema whether a file is (validity.py); this says where it is not,
and in which words. A validator for any schema gives one sentence per branch of each `oneOf`; here the branch is chosen
by the type of the value, so that there is one sentence, about the key that is wrong, with its line.
"""

from __future__ import annotations

import os
import re

from pod.compose import validity
from pod.compose.errors import FileError
from pod.compose.tree import Items, Override, Reset, Table, place_in, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from pod.compose.errors import Place

    Schema = Mapping[str, Any]
    Path = tuple[Any, ...]

SCHEMA = os.path.join(os.path.dirname(__file__), "schema", "compose-spec.json")
_SAID = {
    "string": "a text", "integer": "an integer", "number": "a number", "boolean": "true or false",
    "object": "a mapping", "array": "a list", "null": "nothing",
}  # fmt: skip
_HAS = {**_SAID, "boolean": "a truth value", "null": "empty"}
_FORMS = {
    # key: what its pattern means
    "container_name": "a name of letters, digits, '_', '.' and '-', which begins with a letter or digit",
    "pull_policy": "always, never, missing, if_not_present, build, refresh, daily, weekly or every_TIME",
}
_OLD = {
    # keys of services in files of version 1, and some of version 2
    "dockerfile": "build: {context: ., dockerfile: FILE}",
    "log_driver": "logging: {driver: NAME}",
    "log_opt": "logging: {options: {KEY: VALUE}}",
    "net": "network_mode, or networks",
    "volume_driver": "volumes at the top, with driver",
}


def load() -> Schema:
    """The schema as it was published."""
    import json

    with open(SCHEMA, encoding="utf-8") as file:
        schema: Schema = json.load(file)
    return schema


def check(tree: Any, schema: Schema | None = None) -> None:
    """Raise FileError for the first thing in a file that the schema does not allow."""
    Checker(schema or load()).check(tree)


class Checker:
    """Holds values against a schema, and knows what it has at a path."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def check(self, tree: Any) -> None:
        """Raise FileError for the first thing in a file that the schema does not allow."""
        wrong = validity.problem(tree, self.schema)
        if wrong is None:
            return
        place = tree.place if isinstance(tree, (Table, Items)) else ("", 0)
        self._value(tree, self.schema, (), place)
        path, sentence = wrong
        for number, key in enumerate(path):  # nothing of ours says it better
            place = place_in(_at(tree, path[:number]), key)
        raise FileError(place, path, sentence)

    def resolved(self, schema: Schema) -> Schema:
        """A schema with what it refers to, and the properties of all its parts, in one."""
        if "$ref" not in schema and "allOf" not in schema:
            return schema
        parts = [self._referred(schema["$ref"])] if "$ref" in schema else []
        parts += schema.get("allOf", ())
        merged: dict[str, Any] = {}
        properties: dict[str, Any] = {}
        patterns: dict[str, Any] = {}
        for part in [*map(self.resolved, parts), schema]:
            merged.update(part)
            properties.update(part.get("properties", {}))
            patterns.update(part.get("patternProperties", {}))
        for word in ("$ref", "allOf"):
            merged.pop(word, None)
        if properties:
            merged["properties"] = properties
        if patterns:
            merged["patternProperties"] = patterns
        if merged.pop("unevaluatedProperties", None) is False:
            merged["additionalProperties"] = False
        return merged

    def _referred(self, reference: str) -> Schema:
        found: Any = self.schema
        for word in reference.removeprefix("#/").split("/"):
            found = found[word]
        return self.resolved(found)

    def branches(self, schema: Schema) -> list[Schema]:
        """The alternatives of a schema; itself where it has none."""
        whole = self.resolved(schema)
        parts = whole.get("oneOf") or whole.get("anyOf")
        if not parts:
            return [whole]
        return [branch for part in parts for branch in self.branches(part)]

    def _value(self, value: Any, schema: Schema, path: Path, place: Place) -> None:
        if isinstance(value, Reset):
            return
        if isinstance(value, Override):
            value = value.value
        branches = self.branches(schema)
        fitting = [branch for branch in branches if self._has_type(value, branch)]
        if not fitting:
            raise self._wrong_type(value, branches, path, place)
        errors = []
        for branch in fitting:
            try:
                self._content(value, branch, path, place)
            except FileError as error:
                errors.append(error)
            else:
                return
        raise errors[0]

    def _has_type(self, value: Any, schema: Schema) -> bool:
        types = schema.get("type")
        if types is None:
            return True
        allowed = [types] if isinstance(types, str) else list(types)
        own = type_of(value)
        if own in allowed or (own == "integer" and "number" in allowed):
            return True
        return any(validity.is_in_letters(value, kind) for kind in allowed)

    def _wrong_type(
        self, value: Any, branches: Iterable[Schema], path: Path, place: Place
    ) -> FileError:
        names: list[str] = []
        for branch in branches:
            types = branch.get("type", [])
            names += [types] if isinstance(types, str) else types
        said = [_SAID[name] for name in dict.fromkeys(names) if name != "null"]
        own = type_of(value)
        if own == "null":
            return FileError(
                place, path, f"it is empty, and {_either(said)} is expected",
                hint="leave the key out, or give it a value",
            )  # fmt: skip
        hint = f'write it in quotes: "{text_of(value)}"' if (
            "string" in names and own in {"boolean", "integer", "number"}
        ) else None  # fmt: skip
        return FileError(place, path, f"{_either(said)} is expected, not {_HAS[own]}", hint=hint)

    def _content(self, value: Any, schema: Schema, path: Path, place: Place) -> None:
        if "enum" in schema and value not in schema["enum"]:
            known = [text_of(one) for one in schema["enum"]]
            said = f"'{text_of(value)}' is none of {', '.join(known)}"
            raise FileError(place, path, said + meant(text_of(value), known))
        if isinstance(value, dict):
            self._table(value, schema, path, place)
        elif isinstance(value, list):
            self._items(value, schema, path, place)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = schema.get("minimum"), schema.get("maximum")
            if low is not None and value < low:
                raise FileError(place, path, f"{text_of(value)} is below {low}, the least")
            if high is not None and value > high:
                raise FileError(place, path, f"{text_of(value)} is above {high}, the most")
        elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
            form = _FORMS.get(str(path[-1]), f"of the form {schema['pattern']}")
            raise FileError(place, path, f"'{value}' is not {form}")

    def _table(self, value: Any, schema: Schema, path: Path, place: Place) -> None:
        properties: Schema = schema.get("properties", {})
        patterns: Schema = schema.get("patternProperties", {})
        for key, inner in value.items():
            at = place_in(value, key)
            found = properties.get(key)
            if found is None:
                found = next((patterns[it] for it in patterns if re.search(it, key)), None)
            if found is not None:
                self._value(inner, found, (*path, key), at)
            elif schema.get("additionalProperties", True) is False:
                raise self._unknown(key, properties, patterns, path, at)
        for key in schema.get("required", ()):
            if key not in value:
                raise FileError(place, path, f"the key '{key}' is missing")

    def _unknown(
        self, key: str, properties: Schema, patterns: Schema, path: Path, place: Place
    ) -> FileError:
        if not properties and any(it.startswith("^[a-zA-Z0-9._-]") for it in patterns):
            return FileError(
                place,
                path,
                f"the name '{key}' has other characters than letters, digits, . _ and -",
            )
        hint = None
        if path == () and type(key) is str and key not in properties:
            hint = "top-level keys are " + ", ".join(sorted(properties)) + ", and x-..."
        if len(path) == 2 and path[0] == "services" and key in _OLD:
            hint = f"the first version of compose had it; now it is {_OLD[key]}"
        return FileError(place, (*path, key), f"there is no such key{meant(key, properties)}", hint)

    def _items(self, value: Any, schema: Schema, path: Path, place: Place) -> None:
        if "items" in schema:
            for index, inner in enumerate(value):
                self._value(inner, schema["items"], (*path, index), place_in(value, index))
        if schema.get("uniqueItems"):
            for index, inner in enumerate(value):
                if any(inner == other and type(inner) is type(other) for other in value[:index]):
                    raise FileError(
                        place_in(value, index), (*path, index), f"'{text_of(inner)}' is there twice"
                    )


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree.value if isinstance(tree, Override) else tree
        tree = tree[key]
    return tree.value if isinstance(tree, Override) else tree


def type_of(value: Any) -> str:
    """The name that JSON schema has for the type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    for kind, name in ((int, "integer"), (float, "number"), (str, "string"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "array"


def meant(word: str, known: Iterable[str]) -> str:
    """The end of a sentence, "; did you mean ...?", where a known word looks like this one."""
    from pod.base.suggest import closest

    found = closest(word, known)[:2]
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def _either(words: list[str]) -> str:
    return " or ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} or {words[-1]}"
