"""`--filter` of the commands that choose containers: ps, start, stop, restart, rm, prune.

Values of one key are alternatives, except labels; different keys must all hold. Source: podman-ps(1), "--filter".
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, UsageError
from pod.base.times import parse_moment
from pod.base.units import parse_boolean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pod.engine.context import Engine
    from pod.engine.list import Listed

    Test = Callable[[Engine, Listed], bool]

STATES = ("created", "initialized", "running", "paused", "restarting", "exited")
# Words of podman and docker for states that no container of pod is ever in.
_OTHER_STATES = frozenset("removing stopped stopping unknown dead configured".split())
_HEALTHS = ("starting", "healthy", "unhealthy", "none")
_ALL_MUST_HOLD = frozenset(("label", "label!", "annotation", "annotation!"))


class Filters:
    """Filters as they were typed, checked."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._tests: dict[str, list[Test]] = {}
        self.choose_state = (
            False  # they are about containers in a state, so all have to be looked at
        )
        for text in texts:
            key, equals, value = text.partition("=")
            if not equals:
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': KEY=VALUE is expected",
                    hint="pod ps --filter status=exited",
                )
            make = _KEYS.get(key)
            if make is None:
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': the keys are {', '.join(_KEYS)}"
                )
            self._tests.setdefault(key, []).append(make(value))
            if key in {"status", "exited"}:
                self.choose_state = True

    def __bool__(self) -> bool:
        return bool(self._tests)

    def apply(self, engine: Engine, found: Iterable[Listed]) -> list[Listed]:
        """Those of the containers that the filters let through, in the same order."""
        return [listed for listed in found if self._accept(engine, listed)]

    def _accept(self, engine: Engine, listed: Listed) -> bool:
        for key, tests in self._tests.items():
            holds = all if key in _ALL_MUST_HOLD else any
            if not holds(test(engine, listed) for test in tests):
                return False
        return True


def _id(value: str) -> Test:
    if value.isalnum() and value == value.lower():
        return lambda engine, it: it.summary.id.startswith(value)
    matches = expression("id", value)
    return lambda engine, it: matches(it.summary.id)


def _name(value: str) -> Test:
    matches = expression("name", value)
    return lambda engine, it: matches(it.summary.name)


def expression(key: str, value: str) -> Callable[[str], bool]:
    """Whether a text has a match of the regular expression."""
    if value.replace("_", "").replace("-", "").isalnum():
        return lambda text: value in text
    import re

    try:
        compiled = re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidValue(
            f"--filter {key}", value, f"it is not a regular expression: {error}"
        ) from error
    return lambda text: compiled.search(text) is not None


def _pair(field: str, value: str, *, wanted: bool) -> Test:
    """A label or annotation KEY, or KEY=VALUE; a * at the end of the value stands for the rest."""
    key, equals, text = value.partition("=")

    def test(engine: Engine, it: Listed) -> bool:
        pairs: Mapping[str, str] = it.config.get(field, {})
        return has_label(pairs, key, text if equals else None) == wanted

    return test


def has_label(pairs: Mapping[str, str], key: str, text: str | None) -> bool:
    if key.endswith("*"):
        return any(
            name.startswith(key[:-1]) and (text is None or value == text)
            for name, value in pairs.items()
        )
    return key in pairs and (text is None or pairs[key] == text)


def _exited(value: str) -> Test:
    from pod.base.units import parse_integer

    number = parse_integer(value, "--filter exited", 0, 255)
    return lambda engine, it: it.state == "exited" and it.summary.exit_status == number


def _status(value: str) -> Test:
    word = value.lower()
    if word not in STATES and word not in _OTHER_STATES:
        raise InvalidValue("--filter status", value, f"one of {', '.join(STATES)}")
    if word == "stopped":
        word = "exited"
    return lambda engine, it: it.state == word


def _ancestor(value: str) -> Test:
    """Made from the image, or from one that has its layers as its lowest ones."""
    wanted: list[tuple[str, tuple[str, ...]]] = []

    def test(engine: Engine, it: Listed) -> bool:
        if not wanted:
            wanted.extend(_images(engine, value))
        layers = tuple(it.config.get("layers", ()))
        for image_id, below in wanted:
            if it.summary.image_id == image_id or (below and layers[: len(below)] == below):
                return True
        name: str = it.config.get("image", "")
        return name == value or name.rpartition(":")[0] == value

    return test


def _images(engine: Engine, value: str) -> list[tuple[str, tuple[str, ...]]]:
    from pod.base.errors import PodError
    from pod.engine import images

    try:
        image = images.find(engine, value)
    except PodError:
        return [("no such image", ())]
    return [(image.id, tuple(image.diff_ids))]


def _than(value: str, is_wanted: Callable[[int, int], bool]) -> Test:
    """Compared in time of creation with another container."""
    moment: list[int] = []

    def test(engine: Engine, it: Listed) -> bool:
        if not moment:
            from pod.state import containers

            moment.append(containers.find(engine.database, value).created_ns)
        return is_wanted(it.summary.created_ns, moment[0])

    return test


def _volume(value: str) -> Test:
    def test(engine: Engine, it: Listed) -> bool:
        mounts = it.config.get("mounts", ())
        return any(value in {mount["target"], mount.get("source")} for mount in mounts)

    return test


def _network(value: str) -> Test:
    def test(engine: Engine, it: Listed) -> bool:
        network = it.config.get("networking", {}).get("network", {})
        mode = network.get("mode") or "private"
        more = it.config.get("networking", {}).get("more_networks", ())
        if mode == "network":
            return value in {place.get("joined") or "none" for place in (network, *more)}
        return value in {mode, f"{mode}:{network.get('joined', '')}"}

    return test


def _restart_policy(value: str) -> Test:
    from pod.spec.restart import parse_restart

    wanted = parse_restart(value)

    def test(engine: Engine, it: Listed) -> bool:
        policy = it.config.get("restart", {})
        if policy.get("name", "no") != wanted.name:
            return False
        return not wanted.max_retries or policy.get("max_retries", 0) == wanted.max_retries

    return test


def _until(value: str) -> Test:
    moment = parse_moment(value, "--filter until")
    return lambda engine, it: it.summary.created_ns < moment


def _command(value: str) -> Test:
    """The program that is executed."""

    def test(engine: Engine, it: Listed) -> bool:
        words = [*(it.config.get("entrypoint") or ()), *it.config.get("command", ())]
        return bool(words) and words[0] == value

    return test


def _starts_at_boot(value: str) -> Test:
    from pod.spec.restart import starts_at_boot

    wanted = parse_boolean(value, "--filter should-start-on-boot")

    def test(engine: Engine, it: Listed) -> bool:
        name = it.config.get("restart", {}).get("name", "no")
        stopped = bool(it.summary.outcome.get("stopped_by_user"))
        return starts_at_boot(name, stopped_by_user=stopped) == wanted

    return test


def _health(value: str) -> Test:
    if value not in _HEALTHS:
        raise InvalidValue("--filter health", value, f"one of {', '.join(_HEALTHS)}")
    if value == "none":
        return lambda engine, it: not it.has_health_check
    return lambda engine, it: it.health == value


def _pod(value: str) -> Test:
    """In the pod with this name, id or beginning of an id; "" is none."""
    wanted: list[str] = []

    def test(engine: Engine, it: Listed) -> bool:
        pod: str = it.config.get("pod", "")
        if not value or not pod:
            return not value and not pod
        if not wanted:
            from pod.state import pods

            wanted.extend(one for one, name in pods.names(engine.database).items() if name == value)
        return pod in wanted or (not wanted and pod.startswith(value))

    return test


_KEYS: dict[str, Callable[[str], Test]] = {
    "id": _id,
    "name": _name,
    "label": lambda value: _pair("labels", value, wanted=True),
    "label!": lambda value: _pair("labels", value, wanted=False),
    "annotation": lambda value: _pair("annotations", value, wanted=True),
    "annotation!": lambda value: _pair("annotations", value, wanted=False),
    "exited": _exited,
    "status": _status,
    "ancestor": _ancestor,
    "before": lambda value: _than(value, lambda one, other: one < other),
    "since": lambda value: _than(value, lambda one, other: one > other),
    "volume": _volume,
    "network": _network,
    "restart-policy": _restart_policy,
    "until": _until,
    "command": _command,
    "should-start-on-boot": _starts_at_boot,
    "health": _health,
    "pod": _pod,
}
