"""`pod volume ls`: which volumes there are, who uses them, and which of them filters choose.

Source of the filters: podman-volume-ls(1), podman-volume-prune(1).
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, UsageError
from pod.state import volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pod.engine.context import Engine
    from pod.state.volumes import Volume

    Test = Callable[["Listed"], bool]

_ALL_MUST_HOLD = frozenset(("label", "label!", "opt"))


class Listed:
    """A volume, and the ids of the containers that use it."""

    __slots__ = ("users", "volume")

    def __init__(self, volume: Volume, users: list[str]) -> None:
        self.volume = volume
        self.users = users


class Filters:
    """Filters as they were typed, checked. Values of one key are alternatives, except labels and options."""

    def __init__(self, engine: Engine, texts: Iterable[str]) -> None:
        self._tests: dict[str, list[Test]] = {}
        for text in texts:
            key, equals, value = text.partition("=")
            if not equals:
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': KEY=VALUE is expected",
                    hint="pod volume ls --filter dangling=true",
                )
            make = _KEYS.get(key)
            if make is None:
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': the keys are {', '.join(_KEYS)}"
                )
            self._tests.setdefault(key, []).append(make(engine, value))

    def accept(self, listed: Listed) -> bool:
        """Whether the filters let a volume through."""
        for key, tests in self._tests.items():
            holds = all if key in _ALL_MUST_HOLD else any
            if not holds(test(listed) for test in tests):
                return False
        return True


def all_volumes(engine: Engine, filters: Filters | None = None) -> list[Listed]:
    """The volumes that the filters let through, by name."""
    users = volumes.users(engine.database)
    found = [
        Listed(volume, users.get(volume.name, [])) for volume in volumes.all_of(engine.database)
    ]
    return found if filters is None else [it for it in found if filters.accept(it)]


def _boolean(key: str, value: str, holds: Test) -> Test:
    from pod.base.units import parse_boolean

    wanted = parse_boolean(value, f"--filter {key}")
    return lambda it: holds(it) == wanted


def _pair(value: str, pairs: Callable[[Listed], Mapping[str, str]], *, wanted: bool) -> Test:
    key, equals, text = value.partition("=")

    def test(it: Listed) -> bool:
        found = pairs(it)
        has = key in found and (not equals or found[key] == text)
        return has == wanted

    return test


def _name(_engine: Engine, value: str) -> Test:
    """A regular expression, as podman has it; a plain word is looked for anywhere in the name."""
    import re

    try:
        expression = re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidValue(
            "--filter name", value, f"it is not a regular expression: {error}"
        ) from error
    return lambda it: expression.search(it.volume.name) is not None


def _than(engine: Engine, value: str, is_wanted: Callable[[int, int], bool]) -> Test:
    """Compared in time of creation with another volume."""
    moment = volumes.find(engine.database, value).created_ns
    return lambda it: is_wanted(it.volume.created_ns, moment)


def _until(_engine: Engine, value: str) -> Test:
    from pod.base.times import parse_moment

    moment = parse_moment(value, "--filter until")
    return lambda it: it.volume.created_ns < moment


_KEYS: dict[str, Callable[[Engine, str], Test]] = {
    "after": lambda engine, value: _than(engine, value, lambda one, other: one > other),
    "anonymous": lambda _, value: _boolean("anonymous", value, lambda it: it.volume.anonymous),
    "dangling": lambda _, value: _boolean("dangling", value, lambda it: not it.users),
    "driver": lambda _, value: lambda it: it.volume.driver == value,
    "label": lambda _, value: _pair(value, lambda it: it.volume.labels, wanted=True),
    "label!": lambda _, value: _pair(value, lambda it: it.volume.labels, wanted=False),
    "name": _name,
    "opt": lambda _, value: _pair(value, lambda it: it.volume.options, wanted=True),
    "scope": lambda _, value: lambda it: value == "local",
    "since": lambda engine, value: _than(engine, value, lambda one, other: one > other),
    "until": _until,
}
