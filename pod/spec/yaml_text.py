"""YAML as others write it: CDI files, registries.d. Plain values alone, no objects; mistakes are named by line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def parse(data: bytes) -> Any:
    """The value of a document, by YAML 1.2. Raises ValueError with the line and what is wrong there."""
    return _loaded(data, "safe")


def parse_with_lines(data: bytes) -> Any:
    """The same, of dictionaries and lists that `line_of` knows the lines of."""
    return _loaded(data, "rt")


def parse_all_with_lines(data: bytes) -> list[Any]:
    """The same of all documents in a text."""
    found: list[Any] = _loaded(data, "rt", every=True)
    return found


def parse_nodes(data: bytes) -> list[Any]:
    """The documents of a text as nodes: `tag`, `value`, `style`, `start_mark`; what tags mean is for the caller."""
    from ruamel.yaml import YAML  # heavy

    found: list[Any] = _read(lambda: list(YAML(typ="safe", pure=True).compose_all(data)))
    return found


def first_line(table: Any) -> int:
    """The line of the first key of such a dictionary; 0 where it is not known."""
    return next((line_of(table, key) for key in table), 0) if isinstance(table, dict) else 0


def is_old_octal(number: Any) -> bool:
    """Whether a number of `parse_with_lines` is written as 0644: octal in YAML 1.1, decimal in 1.2."""
    is_padded = type(number).__name__ == "ScalarInt" and getattr(number, "_width", None)
    return bool(is_padded) and not set(str(int(number))) - set("01234567")


def line_of(table: Any, key: Any) -> int:
    """The line of a key in a dictionary of `parse_with_lines`; 0 where it is not known."""
    try:
        return int(table.lc.key(key)[0]) + 1
    except (AttributeError, KeyError, TypeError):
        return 0


def written(documents: list[Any]) -> str:
    """Documents as text, in the order of their keys, with `---` between them."""
    from io import StringIO

    from ruamel.yaml import YAML

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.explicit_start = len(documents) > 1
    writer.width = 4096
    writer.representer.ignore_aliases = lambda _: (
        True
    )  # a value that is there twice is written twice
    out = StringIO()
    writer.dump_all(documents, out)
    return out.getvalue()


def _loaded(data: bytes, kind: str, *, every: bool = False) -> Any:
    """`kind` is a loader of ruamel.yaml that makes no objects but its own."""
    from ruamel.yaml import YAML  # heavy

    reader = YAML(typ=kind, pure=True)
    return _read(lambda: list(reader.load_all(data)) if every else reader.load(data))


def _read(read: Callable[[], Any]) -> Any:
    """What `read` returns; what it finds wrong as ValueError, in one line."""
    from ruamel.yaml.error import YAMLError

    try:
        return read()
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
