"""JSON without the `json` module, for documents that pod wrote itself: rows, state files, caches.

Importing `json` costs 6 ms and a megabyte, nearly all of it for `re` and `enum`, which its C halves do not need. They
are used here and in no other file. Documents of others, where the place of an error is of use, go through `json`.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Context:
    """What the scanner asks of a JSONDecoder."""

    strict = True
    object_hook = None
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}  # noqa: RUF012  the scanner's own


_scan = make_scanner(_Context())  # type: ignore[arg-type]  # typeshed has the return type here


def loads(
    text: str | bytes, make_object: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """The value of a JSON text; `make_object` makes objects of their pairs. Raises ValueError."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogatepass")
    text = text.strip(" \t\r\n")
    scan = _scan
    if make_object is not None:
        context = _Context()
        context.object_pairs_hook = make_object
        scan = make_scanner(context)  # type: ignore[arg-type]
    try:
        value, end = scan(text, 0)
    except StopIteration as stop:
        raise ValueError(f"no JSON value at character {stop.value}") from None
    except SystemError as error:
        # Up to Python 3.12 it says nothing more precise as long as json.decoder is not loaded.
        raise ValueError("no valid JSON") from error
    if end != len(text):
        raise ValueError(f"more than one JSON value: character {end}")
    return value


def dumps(value: Any) -> str:
    """Compact JSON text of dictionaries with string keys, lists, tuples, strings, numbers, booleans and None."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        pairs = [f"{encode_basestring_ascii(name)}:{dumps(item)}" for name, item in value.items()]
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([dumps(item) for item in value]) + "]"
    if isinstance(value, float):
        return repr(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")
