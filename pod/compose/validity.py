"""Whether a compose file is valid, by the package jsonschema; schema_check.py then says in which words it is not.

The package gives a sentence for each branch of each `oneOf`, in the words of the schema and without lines, so only its
verdict is shown, and its own sentence where schema_check.py has none.
"""

from __future__ import annotations

import re

from pod.compose.tree import Items, Override, Reset, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Path = tuple[Any, ...]

_TRUTHS = frozenset({"true", "false", "True", "False", "TRUE", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)\Z")


class Filled(str):
    """A text that variables were filled into: where a number or a truth value belongs, it may be one in letters."""

    __slots__ = ()


def is_in_letters(value: Any, kind: str) -> bool:
    """Whether a text that variables were filled into may stand where the schema wants an integer, number or boolean."""
    if not isinstance(value, Filled):
        return False
    return (
        (kind == "boolean" and value in _TRUTHS)
        or (kind == "integer" and bool(_INTEGER.match(value)))
        or (kind == "number" and bool(_NUMBER.match(value)))
    )


def problem(tree: Any, schema: Mapping[str, Any]) -> tuple[Path, str] | None:
    """Where and why `schema` (JSON schema 2020-12) does not allow `tree`; None where it does."""
    import jsonschema  # heavy

    draft = jsonschema.Draft202012Validator
    types = draft.TYPE_CHECKER
    for kind in ("boolean", "integer", "number"):
        types = types.redefine(kind, _with_letters(kind, draft.TYPE_CHECKER))
    limits = {word: _of_numbers(draft.VALIDATORS[word]) for word in ("minimum", "maximum")}
    validator = jsonschema.validators.extend(draft, limits, type_checker=types)(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(_plain(tree)))
    return None if error is None else (tuple(error.absolute_path), error.message)


def _with_letters(kind: str, types: Any) -> Any:
    return lambda _, value: types.is_type(value, kind) or is_in_letters(value, kind)


def _of_numbers(check: Any) -> Any:
    """A keyword that compares numbers, not asked about numbers in letters."""

    def checked(validator: Any, limit: Any, value: Any, schema: Any) -> Iterator[Any]:
        if not isinstance(value, str):
            yield from check(validator, limit, value, schema) or ()

    return checked


def _plain(value: Any) -> Any:
    """The same without tags: what is reset is not there."""
    if isinstance(value, Override):
        value = value.value
    if isinstance(value, Table):
        return {key: _plain(it) for key, it in value.items() if not isinstance(it, Reset)}
    if isinstance(value, Items):
        return [_plain(it) for it in value if not isinstance(it, Reset)]
    return value
