"""`--filter` of images and image prune. Values of one key are alternatives, except labels; all keys must hold.

Source: podman-images(1), "--filter".
"""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.base.times import from_rfc3339, parse_moment
from pod.base.units import parse_boolean
from storage.images import ImageRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pod.engine.context import Engine
    from storage.lists import ListRecord

    AnyImage = ImageRecord | ListRecord

    Test = Callable[["Candidate"], bool]

_ALL_MUST_HOLD = frozenset(("label", "label!"))


class Candidate:
    """An image, and what filters ask about it that costs something."""

    def __init__(self, engine: Engine, image: AnyImage, used: Callable[[], Mapping[str, int]]):
        self.image = image
        self._engine = engine
        self._used = used

    @property
    def created_ns(self) -> int:
        return from_rfc3339(self.image.created)

    @property
    def is_list(self) -> bool:
        """Whether it is a list of images."""
        return not isinstance(self.image, ImageRecord)

    @property
    def containers(self) -> int:
        """How many containers need the image."""
        return self._used().get(self.image.id, 0)

    def labels(self) -> Mapping[str, str]:
        return labels_of(self.image)


class Filters:
    """Filters as they were typed, checked. `keys` are those that the command has."""

    def __init__(
        self, engine: Engine, texts: Iterable[str], keys: Sequence[str] | None = None
    ) -> None:
        allowed = tuple(_KEYS) if keys is None else keys
        self._tests: dict[str, list[Test]] = {}
        self.patterns: list[str] = []
        for text in texts:
            key, equals, value = text.partition("=")
            if not equals:
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': KEY=VALUE is expected",
                    hint="pod images --filter dangling=true",
                )
            if key not in allowed:
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': the keys are {', '.join(allowed)}"
                )
            self.add(engine, key, value)

    def add(self, engine: Engine, key: str, value: str) -> None:
        """One more filter, which has been typed in another way."""
        if key == "reference":
            self.patterns.append(value)
        self._tests.setdefault(key, []).append(_KEYS[key](engine, value))

    def __contains__(self, key: str) -> bool:
        return key in self._tests

    def accept(self, candidate: Candidate) -> bool:
        """Whether the filters let an image through."""
        for key, tests in self._tests.items():
            holds = all if key in _ALL_MUST_HOLD else any
            if not holds(test(candidate) for test in tests):
                return False
        return True

    def shown_names(self, image: AnyImage) -> tuple[str, ...]:
        """Of an image that was found by its name, the names that were meant."""
        if not self.patterns:
            return image.names
        tests = [_pattern(text) for text in self.patterns]
        matching = tuple(name for name in image.names if any(test(name) for test in tests))
        return matching or image.names


def labels_of(image: AnyImage) -> Mapping[str, str]:
    """The labels of an image; reads its configuration."""
    labels = (image.config().get("config") or {}).get("Labels")
    return labels if isinstance(labels, dict) else {}


def _reference(engine: Engine, value: str) -> Test:
    from pod.base.errors import PodError
    from pod.engine import images

    matches = _pattern(value)
    found: list[str] = []
    try:
        image = images.find_any(engine, value)
    except PodError:
        pass  # a pattern, which is no name
    else:
        found += [image.digest] if image is not None else []
    return lambda it: it.image.digest in found or any(map(matches, it.image.names))


def _pattern(value: str) -> Callable[[str], bool]:
    """Whether a full name, or its end, with or without tag, fits a pattern of the shell; * stops at slashes."""
    import re

    expression = re.compile(_as_expression(value))

    def matches(name: str) -> bool:
        bare = name.partition("@")[0]
        head, slash, last = bare.rpartition("/")
        untagged = head + slash + last.partition(":")[0]
        for whole in (bare, untagged):
            parts = whole.split("/")
            if any(expression.fullmatch("/".join(parts[i:])) for i in range(len(parts))):
                return True
        return expression.fullmatch(name) is not None

    return matches


def _as_expression(pattern: str) -> str:
    from re import escape

    out, position = [], 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            out.append("[^/]*")
        elif character == "?":
            out.append("[^/]")
        elif character == "[":
            end = pattern.find("]", position + 1)
            if end < 0:
                raise UsageError(
                    f"invalid argument 'reference={pattern}' for '--filter': the [ is not closed"
                )
            inner = pattern[position:end].replace("\\", "\\\\")
            if inner.startswith(("!", "^")):
                inner = f"^{inner[1:]}"
            out.append(f"[{inner}]")
            position = end + 1
        else:
            out.append(escape(character))
    return "".join(out)


def _label(value: str, *, wanted: bool) -> Test:
    key, equals, text = value.partition("=")

    def test(it: Candidate) -> bool:
        labels = it.labels()
        has = key in labels and (not equals or labels[key] == text)
        return has == wanted

    return test


def _boolean(key: str, value: str, holds: Test) -> Test:
    wanted = parse_boolean(value, f"--filter {key}")
    return lambda it: holds(it) == wanted


def _than(engine: Engine, value: str, is_wanted: Callable[[int, int], bool]) -> Test:
    """Compared in time of creation with another image."""
    from pod.engine import images

    moment = from_rfc3339(images.find_whole(engine, value).created)
    return lambda it: is_wanted(it.created_ns, moment)


def _until(_engine: Engine, value: str) -> Test:
    moment = parse_moment(value, "--filter until")
    return lambda it: it.created_ns < moment


def _id(_engine: Engine, value: str) -> Test:
    digits = value.removeprefix("sha256:")
    return lambda it: it.image.id.partition(":")[2].startswith(digits)


def _containers(_engine: Engine, value: str) -> Test:
    if value == "external":  # of other tools in podman's own store
        return lambda it: False
    return _boolean("containers", value, lambda it: it.containers > 0)


_KEYS: dict[str, Callable[[Engine, str], Test]] = {
    "after": lambda engine, value: _than(engine, value, lambda one, other: one > other),
    "before": lambda engine, value: _than(engine, value, lambda one, other: one < other),
    "containers": _containers,
    "dangling": lambda _, value: _boolean("dangling", value, lambda it: not it.image.names),
    "digest": lambda _, value: lambda it: it.image.digest.startswith(value),
    "id": _id,
    # What builds leave between their layers; pod keeps no such images.
    "intermediate": lambda _, value: _boolean("intermediate", value, lambda it: False),
    "label": lambda _, value: _label(value, wanted=True),
    "label!": lambda _, value: _label(value, wanted=False),
    "manifest": lambda _, value: _boolean("manifest", value, lambda it: it.is_list),
    "readonly": lambda _, value: _boolean("readonly", value, lambda it: False),
    "reference": _reference,
    "since": lambda engine, value: _than(engine, value, lambda one, other: one > other),
    "until": _until,
}
