"""The names of a pod's containers: in the /etc/hosts that they share, at 127.0.0.1, and on the pod's networks."""

from __future__ import annotations

import os

from pod.base import files, ids
from pod.state import containers, pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container


def on_networks(engine: Engine, infra: Container) -> list[str]:
    """The names besides its own by which a pod's infra container is found: of the pod and of who shares its network."""
    pod = pods.by_id(engine.database, infra.config.pod)
    found = [] if pod is None else [pod.name]
    for member in _sharing(engine, infra):
        found += [member.name, ids.short(member.id)]
    return found


def tell_networks(engine: Engine, member: Container) -> None:
    """Have a running pod be found on its networks by the names its containers have now: one came, went, was renamed."""
    joined = member.config.networking.network
    if joined.mode != "container":
        return
    for infra in containers.by_ids(engine.database, [joined.joined]):
        if infra.status == "active" and infra.config.networking.can_join:
            from pod.engine import network_connect

            network_connect.tell_name(engine, infra)


def in_network_of(engine: Engine, infra: Container) -> list[str]:
    """The names of the containers that share the network of an infra container, the oldest first."""
    return [it.name for it in _sharing(engine, infra)]


def _sharing(engine: Engine, infra: Container) -> list[Container]:
    members = pods.members(engine.database, infra.config.pod)
    found = [
        it
        for it in containers.by_ids(engine.database, members)
        if it.config.networking.network.joined == infra.id
    ]
    return sorted(found, key=lambda it: (it.created_ns, it.id))


def add(path: str, name: str) -> None:
    """Add a name to the file, unless it is there. Several may do so at once: a line is one write."""
    if name in _names(path):
        return
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        files.write_all(fd, f"127.0.0.1\t{name}\n".encode())
    finally:
        os.close(fd)


def forget(engine: Engine, container: Container) -> None:
    """Take the name of a container that is being removed out of its pod's file, which stays the same file."""
    network = container.config.networking.network
    path = f"{engine.paths.container(network.joined)}/hosts"
    try:
        lines = files.read_text(path).splitlines(keepends=True)
        left = [line for line in lines if line != f"127.0.0.1\t{container.name}\n"]
        if network.mode != "container" or left == lines:
            return
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    except OSError:
        return  # there is no such file
    try:
        files.write_all(fd, "".join(left).encode("utf-8", "surrogateescape"))
    finally:
        os.close(fd)


def _names(path: str) -> set[str]:
    """The names in a file of the form hosts(5)."""
    found: set[str] = set()
    for line in files.read_text(path).splitlines():
        found.update(line.partition("#")[0].split()[1:])
    return found
