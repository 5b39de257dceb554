"""A service whose values are read by the grammars of options, with what messages about it need."""

from __future__ import annotations

import re

from pod.base.errors import PodError
from pod.compose.errors import FileError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.compose.project import Project

_OPTION = re.compile(r"^--[a-z0-9-]+ ")


class Reading:
    """A service with what messages about it need."""

    def __init__(self, project: Project, name: str, service: Any) -> None:
        self.project = project
        self.name = name
        self.service = service

    def of(self, key: str, read: Callable[[Any], Any]) -> Any:
        """What `read` makes of the value of a key; its complaint with the place."""
        return self.at((key,), read, self.service[key])

    def at(self, path: tuple[Any, ...], read: Callable[..., Any], *arguments: Any) -> Any:
        """What `read` makes of the arguments; what it raises is about the key that `path` leads to from the service."""
        try:
            return read(*arguments)
        except FileError:
            raise
        except PodError as error:
            # The grammars are those of options, and nobody has typed one here.
            message = _OPTION.sub("", error.message)
            raise FileError(
                self.place(path[0]), ("services", self.name, *path), message, error.hint
            ) from error

    def refused(self, key: str, why: str, instead: str = "", *inner: Any) -> Refused:
        return Refused(self.place(key), ("services", self.name, key, *inner), why, instead)

    def wrong(self, key: str, sentence: str, *inner: Any) -> FileError:
        return FileError(self.place(key), ("services", self.name, key, *inner), sentence)

    def place(self, key: str) -> Any:
        return self.service.place_of(key)


def is_true(value: Any) -> bool:
    """A truth value, which variables may have filled in as text."""
    from pod.base.units import parse_boolean

    return value if isinstance(value, bool) else parse_boolean(str(value), "truth value")
