"""Reading JSON that strangers wrote: each getter returns the type it promises or says which field is wrong.

Manifests, indexes and image configurations go through here; nobody else looks into them unchecked.
"""

from __future__ import annotations

from pod.base import plainjson
from pod.base.errors import PodError
from pod.spec.digest import InvalidDigest, parse_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAX_SIZE = 1 << 50
"""No blob has a petabyte; beyond it a size is a mistake or an attempt to overflow something."""


class InvalidImage(PodError):
    """An image's own description contradicts itself or the specification. `what` is the document."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(
            f"the {what} is not valid: {why}", hint="ask whoever made the image to make it again"
        )


def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `data`. `what` names the document in errors: "manifest of 'nginx'"."""
    try:
        document = plainjson.loads(data)
        if not data.isascii() or b"\\u" in data:
            import json  # heavy

            # Half of a pair of surrogates is no text: no terminal and no file takes it.
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # RecursionError: brackets nested without end
        raise InvalidImage(what, "it is not JSON") from error
    if not isinstance(document, dict):
        raise InvalidImage(what, "it is not a JSON object")
    return document


class Fields:
    """An object of a document; `where` is the path to it, for errors. A field that is null is a field not given."""

    def __init__(self, value: Any, what: str, where: str = "") -> None:
        self.what = what
        self.where = where
        if not isinstance(value, dict):
            raise self.wrong("", "an object", value)
        self.values: dict[str, Any] = value

    def wrong(self, name: str, expected: str, value: Any) -> InvalidImage:
        import json  # heavy

        place = ".".join(part for part in (self.where, name) if part) or "the document"
        shown = "missing" if value is None else json.dumps(value, default=str)[:80]
        return InvalidImage(self.what, f"'{place}' must be {expected}, not {shown}")

    def text(self, name: str, default: str | None = "") -> str:
        """A string; with `default` None it must be there."""
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, "text", value)
        return value

    def number(self, name: str) -> int | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(name, "a whole number", value)
        return value

    def size(self, name: str) -> int:
        """A number of bytes, which must be there."""
        value = self.number(name)
        if value is None or not 0 <= value <= _MAX_SIZE:
            raise self.wrong(name, "a size in bytes", value)
        return value

    def digest(self, name: str) -> str:
        """A digest, which must be there."""
        return self._digest(name, self.values.get(name))

    def digests(self, name: str) -> tuple[str, ...]:
        return tuple(self._digest(name, value) for value in self.items(name))

    def _digest(self, name: str, value: Any) -> str:
        try:
            return parse_digest(value)
        except InvalidDigest as error:
            raise self.wrong(name, "a digest", value) from error

    def items(self, name: str, limit: int | None = None) -> list[Any]:
        """A list; empty when it is not given."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "a list", value)
        if limit is not None and len(value) > limit:
            raise InvalidImage(
                self.what, f"'{name}' has {len(value)} entries, and {limit} are the most"
            )
        return value

    def objects(self, name: str, limit: int | None = None) -> list[Fields]:
        return [
            Fields(value, self.what, f"{self.where}{'.' if self.where else ''}{name}[{number}]")
            for number, value in enumerate(self.items(name, limit))
        ]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty when it is not given."""
        values = self.items(name)
        for value in values:
            if not isinstance(value, str):
                raise self.wrong(name, "a list of texts", values)
        return tuple(values)

    def object(self, name: str) -> Fields:
        """An object; an empty one when it is not given."""
        value = self.values.get(name)
        where = f"{self.where}.{name}" if self.where else name
        return Fields({} if value is None else value, self.what, where)

    def text_map(self, name: str) -> dict[str, str]:
        """An object whose values are strings; null is read as empty, as Go does."""
        fields = self.object(name)
        return {key: fields.text(key) for key in fields.values}
