"""YAML as others write it: CDI files, registries.d. Plain values alone, no objects; mistakes are named by line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def parse(data: bytes) -> Any:
    """The value of a document, by YAML 1.2. Raises ValueError with the line and what is wrong there."""
    return _loaded(data, "safe")


def parse_with_lines(data: bytes) -> Any:
    """The same, of dictionaries and lists that `line_of` knows the lines of."""
    return _loaded(data, "rt")


def line_of(table: Any, key: Any) -> int:
    """The line of a key in a dictionary of `parse_with_lines`; 0 where it is not known."""
    try:
        return int(table.lc.key(key)[0]) + 1
    except (AttributeError, KeyError, TypeError):
        return 0


def _loaded(data: bytes, kind: str) -> Any:
    """`kind` is a loader of ruamel.yaml that makes no objects but its own."""
    from ruamel.yaml import YAML  # heavy
    from ruamel.yaml.error import YAMLError

    reader = YAML(typ=kind, pure=True)
    try:
        return reader.load(data)
    except YAMLError as error:
        raise ValueError(_said(error)) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _said(error: Exception) -> str:
    """In one line: ruamel's own text has several, with an excerpt, and advice for programmers."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return problem if mark is None else f"line {mark.line + 1}: {problem}"
