"""`pod pod ps`: which pods there are, what is in them, and what state each is in at this moment."""

from __future__ import annotations

from pod.base import ids
from pod.base.errors import InvalidValue, UsageError
from pod.engine import list as listing
from pod.engine.filters import expression, has_label
from pod.spec import pods as spec
from pod.state import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pod.engine.context import Engine
    from pod.engine.list import Listed
    from pod.state.pods import Pod


class ListedPod:
    """A pod with its containers, its infra container first."""

    __slots__ = ("containers", "pod")

    def __init__(self, pod: Pod, containers: list[Listed]) -> None:
        self.pod = pod
        self.containers = containers

    @property
    def state(self) -> str:
        return spec.state_of(it.state for it in self.containers)

    @property
    def networks(self) -> list[str]:
        """The networks made by `pod network create` that the pod is on."""
        for it in self.containers:
            networking = it.config.get("networking", {})
            network = networking.get("network", {})
            if it.summary.id == self.pod.config.infra and network.get("mode") == "network":
                places = (network, *networking.get("more_networks", ()))
                return [one["joined"] for one in places if one.get("joined")]
        return []

    @property
    def restarts(self) -> int:
        return sum(it.restarts for it in self.containers)


def all_pods(engine: Engine) -> list[ListedPod]:
    """Every pod, the youngest first, as podman has it."""
    found = pods.all_of(engine.database)
    if not found:
        return []
    contents = _containers(engine)
    return [ListedPod(pod, contents.get(pod.id, [])) for pod in reversed(found)]


def listed(engine: Engine, pod: Pod) -> ListedPod:
    """One pod with its containers."""
    return ListedPod(pod, _containers(engine).get(pod.id, []))


def state(engine: Engine, pod: Pod) -> str:
    """The state of a pod at this moment."""
    return listed(engine, pod).state


def _containers(engine: Engine) -> dict[str, list[Listed]]:
    """The containers of every pod. Ends that nobody has recorded are recorded."""
    found: dict[str, list[Listed]] = {}
    for it in listing.containers(engine, everything=True):
        if pod_id := it.config.get("pod"):
            found.setdefault(pod_id, []).append(it)
    return found


class Filters:
    """`--filter` of `pod pod ps`, checked. Values of one key are alternatives, except labels; all keys must hold."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._tests: dict[str, list[Callable[[Engine, ListedPod], bool]]] = {}
        for text in texts:
            key, equals, value = text.partition("=")
            make = _KEYS.get(key)
            if not equals or make is None:
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': KEY=VALUE is expected, the keys are {', '.join(_KEYS)}"
                )
            self._tests.setdefault(key, []).append(make(value))

    def accept(self, engine: Engine, it: ListedPod) -> bool:
        for key, tests in self._tests.items():
            holds = all if key in {"label", "label!"} else any
            if not holds(test(engine, it) for test in tests):
                return False
        return True


def _id(value: str) -> Callable[[Engine, ListedPod], bool]:
    return lambda engine, it: it.pod.id.startswith(value)


def _name(value: str) -> Callable[[Engine, ListedPod], bool]:
    matches = expression("name", value)
    return lambda engine, it: matches(it.pod.name)


def _label(value: str, *, wanted: bool) -> Callable[[Engine, ListedPod], bool]:
    key, equals, text = value.partition("=")

    def test(engine: Engine, it: ListedPod) -> bool:
        return has_label(it.pod.config.labels, key, text if equals else None) == wanted

    return test


def _status(value: str) -> Callable[[Engine, ListedPod], bool]:
    states = ("created", "running", "degraded", "paused", "stopped", "exited", "error", "dead")
    wanted = value.lower()
    if wanted not in states:
        raise InvalidValue("--filter status", value, f"one of {', '.join(states)}")
    return lambda engine, it: it.state.lower() == wanted


def _container_ids(value: str) -> Callable[[Engine, ListedPod], bool]:
    return lambda engine, it: any(one.summary.id.startswith(value) for one in it.containers)


def _container_names(value: str) -> Callable[[Engine, ListedPod], bool]:
    matches = expression("ctr-names", value)
    return lambda engine, it: any(matches(one.summary.name) for one in it.containers)


def _container_status(value: str) -> Callable[[Engine, ListedPod], bool]:
    wanted = "exited" if value.lower() == "stopped" else value.lower()
    return lambda engine, it: any(one.state == wanted for one in it.containers)


def _container_number(value: str) -> Callable[[Engine, ListedPod], bool]:
    from pod.base.units import parse_integer

    number = parse_integer(value, "--filter ctr-number", 0, 1 << 31)
    return lambda engine, it: len(it.containers) == number


def _network(value: str) -> Callable[[Engine, ListedPod], bool]:
    def test(engine: Engine, it: ListedPod) -> bool:
        return value in it.networks or any(
            one.config.get("networking", {}).get("network", {}).get("mode", "private") == value
            for one in it.containers
            if one.summary.id == it.pod.config.infra
        )

    return test


def _until(value: str) -> Callable[[Engine, ListedPod], bool]:
    from pod.base.times import parse_moment

    moment = parse_moment(value, "--filter until")
    return lambda engine, it: it.pod.created_ns < moment


_KEYS: dict[str, Callable[[str], Callable[[Engine, ListedPod], bool]]] = {
    "id": _id,
    "name": _name,
    "label": lambda value: _label(value, wanted=True),
    "label!": lambda value: _label(value, wanted=False),
    "status": _status,
    "ctr-ids": _container_ids,
    "ctr-names": _container_names,
    "ctr-status": _container_status,
    "ctr-number": _container_number,
    "network": _network,
    "until": _until,
}


def short_ids(it: ListedPod) -> list[str]:
    """The ids of a pod's containers as lists show them."""
    return [ids.short(one.summary.id) for one in it.containers]
