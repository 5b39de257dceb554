"""Commands of a build in namespaces of others: --pid, --ipc, --uts, --network, --userns with container:NAME or ns:PATH.

They write layers, so the ids of whoever is joined must be those in which layers are stored.
"""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.engine import facts, lookup
from pod.linux import idmap, namespaces, processes, syscalls
from pod.spec.userns import UserNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.linux.idmap import IdMap
    from pod.spec.container import ContainerConfig

_KINDS = ("pid", "ipc", "uts", "cgroupns", "userns")
_USUAL = "the layers that a build makes are stored with the usual ids"


def with_joined(engine: Engine, config: ContainerConfig) -> ContainerConfig:
    """What commands get, with the containers they join by id. Raises PodError for what they cannot join."""
    changes: dict[str, Any] = {kind: _found(engine, getattr(config, kind)) for kind in _KINDS}
    network = _found(engine, config.networking.network)
    if not changes["userns"].mode:
        changes["userns"] = _owner([*changes.values(), network])
    if changes["userns"].mode == "ns":
        changes["userns"] = _checked(changes["userns"])
    return config.replace(**changes, networking=config.networking.replace(network=network))


def _found(engine: Engine, namespace: Any) -> Any:
    """One of them, as it is or with the id of its container, which runs; "host" for the caller's own by its path."""
    if namespace.mode == "ns":
        try:
            status = os.stat(namespace.joined)
        except OSError as error:
            raise _refused("", namespace.joined, error) from error
        own = (namespaces.identity(os.getpid(), kind) for kind in namespaces.FLAGS)
        if (status.st_dev, status.st_ino) in own:
            return namespace.replace(mode="host", joined="")
        return namespace
    if namespace.mode != "container":
        return namespace
    container, _ = lookup.running(engine, namespace.joined)
    if facts.special_maps(engine, container.config) is not None:
        raise PodError(
            f"commands of a build cannot join container '{container.name}', which has ids of its own: {_USUAL}"
        )
    return namespace.replace(joined=container.id)


def _owner(found: list[Any]) -> UserNamespace:
    """The user namespace of the process whose namespaces are joined by path, without which they cannot be."""
    for namespace in found:
        path = namespace.joined if namespace.mode == "ns" else ""
        process, _, rest = path.removeprefix("/proc/").partition("/")
        if path.startswith("/proc/") and process.isdecimal() and rest.startswith("ns/"):
            return UserNamespace("ns", f"/proc/{process}/ns/user")
    return UserNamespace()


def _checked(userns: UserNamespace) -> UserNamespace:
    """A user namespace by path, if its ids are the usual ones; that of the caller is what "host" is."""
    try:
        status = os.stat(userns.joined)
    except OSError as error:
        raise _refused("user ", userns.joined, error) from error
    own = namespaces.identity(os.getpid(), "user")
    if (status.st_dev, status.st_ino) == own:
        return UserNamespace()
    if _maps_in(userns.joined) != _plain(idmap.default_maps()):
        raise PodError(
            f"commands of a build cannot join the user namespace '{userns.joined}', whose ids are others: {_USUAL}"
        )
    return userns


def _maps_in(path: str) -> list[list[list[int]]]:
    """The id maps of the user namespace at `path`, as they are to us."""

    def work() -> list[list[list[int]]]:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(fd, namespaces.CLONE_NEWUSER)
        return [_read_map(f"/proc/self/{name}") for name in ("uid_map", "gid_map")]

    try:
        found: list[list[list[int]]] = processes.fork(work, what="join a user namespace").result()
    except OSError as error:
        raise PodError(f"the user namespace '{path}' cannot be joined: {error.strerror}") from error
    return found


def _refused(kind: str, path: str, error: OSError) -> PodError:
    return PodError(f"the {kind}namespace '{path}' cannot be joined: {error.strerror}")


def _read_map(path: str) -> list[list[int]]:
    with open(path, encoding="ascii") as file:
        return [[int(word) for word in line.split()] for line in file]


def _plain(maps: tuple[IdMap, IdMap]) -> list[list[list[int]]]:
    return [[list(extent) for extent in it] for it in maps]
