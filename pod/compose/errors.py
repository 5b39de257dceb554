"""What is wrong with a compose file, said with its place: file, line, key, sentence."""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Place = tuple[str, int]
    """A file as it was named, and a line; 0 where no line is known."""


class ComposeError(PodError):
    """A file, or the project that it describes, cannot be used as it is."""


class FileError(ComposeError):
    """Something in a file. `path` are the keys that lead there: ("services", "web", "ports")."""

    def __init__(
        self,
        place: Place | None,
        path: Iterable[object],
        sentence: str,
        hint: str | None = None,
    ) -> None:
        super().__init__(f"{located(place)}{spelled(path)}{sentence}", hint=hint)


class Refused(FileError):
    """Something of the specification that pod does not do; `instead` is what to write."""

    def __init__(
        self, place: Place | None, path: Iterable[object], why: str, instead: str = ""
    ) -> None:
        super().__init__(place, path, f"it is not supported: {why}", hint=instead or None)


def located(place: Place | None) -> str:
    """The beginning of a message: "compose.yaml:7: "."""
    if place is None or not place[0]:
        return ""
    file, line = place
    return f"{file}:{line}: " if line else f"{file}: "


def spelled(path: Iterable[object]) -> str:
    """The middle of a message: "'services.web.ports[0]': "."""
    text = dotted(path)
    return f"'{text}': " if text else ""


def dotted(path: Iterable[object]) -> str:
    """A path as people write it: services.web.ports[0]."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if text else str(key)
    return text
