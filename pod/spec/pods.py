"""Pods: what a group of containers is, the grammars of its options, and what state it is in.

Source: podman-pod-create(1) for the options, podman-pod-ps(1) for the states.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue
from pod.base.records import Record
from pod.spec.resources import Resources
from pod.spec.restart import RestartPolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import ClassVar

SHARED = ("cgroup", "ipc", "net", "pid", "uts", "user")
USUALLY_SHARED = ("ipc", "net", "uts")
EXIT_POLICIES = ("continue", "stop")
# Kind of init containers: those that run once are removed when they have ended.
INIT_KINDS = ("once", "always")

# Which field of ContainerConfig says what a container has of a namespace; the network's is in `networking`.
FIELDS = {"cgroup": "cgroupns", "ipc": "ipc", "pid": "pid", "uts": "uts", "user": "userns"}


class PodConfig(Record):
    """One pod. What belongs to namespaces and files is in the configuration of its infra container."""

    hostname: str = ""
    labels: Mapping[str, str] = {}
    share: tuple[str, ...] = ()  # of SHARED
    exit_policy: str = "continue"
    restart: RestartPolicy = RestartPolicy()  # of containers that are made in it
    infra: str = ""  # id of the container that holds the namespaces; "" for none
    resources: Resources = Resources()  # of all of its containers together
    cgroup_parent: str = ""
    has_cgroup: bool = True  # --share-parent: its containers are in a cgroup of its own
    create_command: tuple[str, ...] = ()
    create_directory: str = ""

    nested: ClassVar = {"resources": Resources, "restart": RestartPolicy}


def parse_share(text: str) -> tuple[str, ...]:
    """`--share`: namespaces, separated by commas; with a + in front, besides the usual ones."""
    option = "--share"
    is_more = text.startswith("+")
    shared = list(USUALLY_SHARED) if is_more else []
    for word in text.removeprefix("+").split(","):
        name = word.strip()
        if name in {"", "none"}:
            continue
        if name not in SHARED:
            raise InvalidValue(option, text, f"{', '.join(SHARED)}, none; a + before for more")
        shared.append(name)
    return tuple(dict.fromkeys(shared))


def parse_exit_policy(text: str) -> str:
    """`--exit-policy`: what becomes of the pod when the last of its containers has ended."""
    if text not in EXIT_POLICIES:
        raise InvalidValue("--exit-policy", text, "continue, or stop")
    return text


def parse_init_kind(text: str) -> str:
    """`--init-ctr`: once, or always."""
    if text not in INIT_KINDS:
        raise InvalidValue("--init-ctr", text, "once, or always")
    return text


def state_of(states: Iterable[str]) -> str:
    """The state of a pod by those of its containers, in podman's words: all alike, or a mixture."""
    found = [_CLASSES.get(state, "Error") for state in states]
    if not found:
        return "Created"
    for state in ("Running", "Paused", "Exited"):
        if all(one == state for one in found):
            return state
    if "Running" in found:
        return "Degraded"
    if "Exited" in found:
        return "Stopped"
    return "Error" if "Error" in found else "Created"


_CLASSES = {
    "running": "Running",
    "paused": "Paused",
    "exited": "Exited",
    "created": "Created",
    "initialized": "Created",
    "restarting": "Running",
}
