"""--filter of `builder ls`, `builder du` and `builder prune`."""

from __future__ import annotations

import time

from pod.base.errors import InvalidValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.engine.build_cache import Entry

_KINDS = ("step", "mount")
_KEYS = "id, type, shared, inuse, until"


class Filters:
    """All of them must hold."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Raises InvalidValue."""
        self._wanted: list[tuple[str, str]] = []
        self._before_ns: int | None = None
        for text in texts:
            key, equals, value = text.partition("=")
            if not equals or not value:
                raise InvalidValue("--filter", text, f"KEY=VALUE with one of the keys {_KEYS}")
            if key == "until":
                from pod.base.units import parse_duration_ns

                self._before_ns = time.time_ns() - parse_duration_ns(value, "--filter until")
            elif key == "type" and value not in _KINDS:
                raise InvalidValue("--filter", text, f"type is one of {', '.join(_KINDS)}")
            elif key in {"shared", "inuse"} and value not in {"true", "false"}:
                raise InvalidValue("--filter", text, f"{key} is true or false")
            elif key not in {"id", "type", "shared", "inuse"}:
                raise InvalidValue("--filter", text, f"the keys are {_KEYS}")
            else:
                self._wanted.append((key, value))

    def choose(self, entry: Entry) -> bool:
        if self._before_ns is not None and entry.used_ns >= self._before_ns:
            return False
        has = {
            "type": entry.kind,
            "shared": str(entry.is_shared).lower(),
            "inuse": str(entry.in_use).lower(),
        }
        return all(
            entry.id.startswith(value) if key == "id" else has[key] == value
            for key, value in self._wanted
        )
