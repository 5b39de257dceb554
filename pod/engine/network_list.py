"""`pod network ls`: which networks there are, and which of them filters choose.

Source of the filters: podman-network-ls(1), podman-network-prune(1).
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, UsageError
from pod.state import networks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pod.engine.context import Engine
    from pod.spec.networks import NetworkConfig

    Test = Callable[[NetworkConfig], bool]

_ALL_MUST_HOLD = frozenset(("label", "label!"))


class Filters:
    """Filters as they were typed, checked. Values of one key are alternatives, except labels."""

    def __init__(self, engine: Engine, texts: Iterable[str]) -> None:
        self._tests: dict[str, list[Test]] = {}
        for text in texts:
            key, equals, value = text.partition("=")
            make = _KEYS.get(key)
            if make is None or not equals:
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': KEY=VALUE is expected, "
                    f"where KEY is one of {', '.join(_KEYS)}",
                    hint="pod network ls --filter dangling=true",
                )
            self._tests.setdefault(key, []).append(make(engine, value))

    def accept(self, network: NetworkConfig) -> bool:
        """Whether the filters let a network through."""
        for key, tests in self._tests.items():
            holds = all if key in _ALL_MUST_HOLD else any
            if not holds(test(network) for test in tests):
                return False
        return True


def all_networks(engine: Engine, filters: Filters | None = None) -> list[NetworkConfig]:
    """The networks that the filters let through, by name."""
    found = networks.all_of(engine.database)
    return found if filters is None else [it for it in found if filters.accept(it)]


def _name(_: Engine, value: str) -> Test:
    """A regular expression, as podman has it; a plain word is looked for anywhere in the name."""
    import re

    try:
        expression = re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidValue(
            "--filter name", value, f"it is not a regular expression: {error}"
        ) from error
    return lambda network: expression.search(network.name) is not None


def _label(value: str, *, wanted: bool) -> Test:
    key, equals, text = value.partition("=")

    def test(network: NetworkConfig) -> bool:
        labels = network.labels
        return (key in labels and (not equals or labels[key] == text)) == wanted

    return test


def _dangling(engine: Engine, value: str) -> Test:
    from pod.base.units import parse_boolean

    wanted = parse_boolean(value, "--filter dangling")
    return lambda network: wanted != bool(networks.users(engine.database, network.name))


def _until(_: Engine, value: str) -> Test:
    from pod.base.times import parse_moment

    moment = parse_moment(value, "--filter until")
    return lambda network: network.created_ns < moment


_KEYS: dict[str, Callable[[Engine, str], Test]] = {
    "dangling": _dangling,
    "driver": lambda _, value: lambda network: network.driver == value,
    "id": lambda _, value: lambda network: network.id.startswith(value),
    "label": lambda _, value: _label(value, wanted=True),
    "label!": lambda _, value: _label(value, wanted=False),
    "name": _name,
    "until": _until,
}
