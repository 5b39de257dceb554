"""`--filter` of `pod events`. Source: podman-events(1), docker-events(1)."""

from __future__ import annotations

from pod.base.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pod.engine.events import Event, Test

KINDS = ("container", "image", "network", "pod", "secret", "system", "volume")
STATUSES = frozenset(
    """
    attach auto-update build checkpoint cleanup commit connect copy create died disconnect exec exec_died exited export
    health_status import init kill loadFromArchive mount oom pause prune pull pull-error push refresh remove rename
    renumber restart restore save start stop sync tag unmount unpause untag update
    """.split()
)
DOCKER_STATUSES = {
    "delete": "remove",
    "destroy": "remove",
    "die": "died",
    "exec_create": "exec",
    "exec_die": "exec_died",
    "exec_start": "exec",
    "load": "loadFromArchive",
}


def parse_filters(texts: Iterable[str]) -> dict[str, tuple[Test, ...]]:
    """Tests by key. Raises UsageError, which names the filter and what is allowed."""
    tests: dict[str, tuple[Test, ...]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = {"status": "event"}.get(key.lower(), key.lower())
        make = _KEYS.get(key)
        if make is None:
            raise UsageError(
                f"invalid argument '{text}' for '--filter': the keys are {', '.join(_KEYS)}"
            )
        if not equals or not value:
            raise UsageError(
                f"invalid argument '{text}' for '--filter': KEY=VALUE is expected",
                hint="pod events --filter event=died",
            )
        tests[key] = (*tests.get(key, ()), make(value))
    return tests


def _event(value: str) -> Test:
    word, _, health = value.partition(":")
    status = DOCKER_STATUSES.get(word, word)
    if status not in STATUSES:
        raise UsageError(
            f"invalid argument 'event={value}' for '--filter': there is no such event",
            hint=f"one of {', '.join(sorted(STATUSES))}",
        )
    wanted = health.strip()  # docker's "health_status: healthy"
    return lambda it: it.status == status and wanted in ("", it.health)


def _kind(value: str) -> Test:
    kind = {"daemon": "system"}.get(value, value)
    if kind not in KINDS:
        raise UsageError(
            f"invalid argument 'type={value}' for '--filter': expected is one of {', '.join(KINDS)}"
        )
    return lambda it: it.kind == kind


def _named(kind: str) -> Callable[[str], Test]:
    """By the name or the beginning of the id of a thing of this kind."""

    def make(value: str) -> Test:
        return lambda it: (
            it.kind == kind
            and (it.name == value or (bool(it.object_id) and it.object_id.startswith(value)))
        )

    return make


def _image(value: str) -> Test:
    """podman asks for the exact name; here "busybox" also means "docker.io/library/busybox:latest"."""
    wanted = _with_tag(value)

    def test(it: Event) -> bool:
        if it.kind != "image":
            return False
        name = _with_tag(it.name)
        if name == wanted or name.endswith(f"/{wanted}"):
            return True
        return bool(it.object_id) and it.object_id.startswith(value.removeprefix("sha256:"))

    return test


def _with_tag(name: str) -> str:
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"


def _label(value: str) -> Test:
    key, equals, wanted = value.partition("=")

    def test(it: Event) -> bool:
        found = it.attributes.get(key)
        return found is not None and (not equals or found == wanted)

    return test


def _pod(value: str) -> Test:
    """Events of a pod, and of the containers in it when it is given by its id."""
    is_pod = _named("pod")(value)
    return lambda it: is_pod(it) or (bool(it.pod) and it.pod.startswith(value))


def _network(value: str) -> Test:
    return lambda it: it.network == value or _named("network")(value)(it)


_KEYS: dict[str, Callable[[str], Test]] = {
    "container": _named("container"),
    "event": _event,
    "image": _image,
    "label": _label,
    "network": _network,
    "pod": _pod,
    "secret": _named("secret"),
    "type": _kind,
    "volume": _named("volume"),
}
