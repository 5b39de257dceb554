"""`pod unshare`: a program that is root of the ids that containers have."""

from __future__ import annotations

import os

from pod.base import exits, files, paths
from pod.base.errors import PodError, Unsupported
from pod.linux import idmap, processes, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pod.engine.context import Engine


_RESOLVER_FILE = "/etc/resolv.conf"


class CommandNotFound(PodError):
    """There is no such program."""

    exit_status = exits.NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(f"command '{name}' was not found")


class CommandNotExecutable(PodError):
    """It is there, and cannot be executed."""

    exit_status = exits.NOT_EXECUTABLE

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"command '{name}' cannot be executed: {why}")


def execute(engine: Engine, command: list[str], *, in_networks: bool = False) -> NoReturn:
    """Become the program `command`, or the user's shell, as root of a user namespace with the default map.

    It has a mount namespace of its own, too. With `in_networks` the user namespace is that of the holder of the
    networks, which is started where there is none and stays as long as the program does, and so is the network's.
    Raises CommandNotFound, CommandNotExecutable, IdMapError, NetworkError.
    """
    command = command or [os.environ.get("SHELL") or "/bin/sh"]
    path = _find(command[0])
    environment = {
        **os.environ,
        **_variables(engine),
    }
    if in_networks:
        _enter_networks(engine)
    else:
        uids, gids = idmap.default_maps()
        idmap.enter(uids, gids)
    signals.restore_defaults()
    try:
        os.execve(path, command, environment)
    except OSError as error:
        raise CommandNotExecutable(command[0], (error.strerror or str(error)).lower()) from error


def _enter_networks(engine: Engine) -> None:
    """Become root where the bridges are; names are answered there by the helper that reaches the world."""
    if os.geteuid() == 0:
        raise Unsupported("--rootless-netns", "networks are for ordinary users only")
    from netns.backends.addresses import RESOLVER
    from netns.holder import client
    from pod.engine import network_places
    from pod.linux import namespaces, syscalls

    channel = client.ensure(network_places.holder_settings(engine))
    holder = os.pidfd_open(channel.peer())
    syscalls.setns(holder, namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
    os.close(holder)
    idmap.become_root()
    syscalls.unshare(namespaces.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    if os.path.exists(_RESOLVER_FILE):
        # In memory, seen by nobody else: whenever we are killed, nothing of it stays.
        directory = network_places.directory(engine)
        syscalls.mount("pod", directory, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV)
        resolver = f"{directory}/resolv.conf"
        files.write_atomic(resolver, f"nameserver {RESOLVER}\n".encode(), mode=0o644, sync=False)
        target = os.path.realpath(_RESOLVER_FILE)
        syscalls.mount(resolver, target, None, syscalls.MS_BIND)
        syscalls.umount2(directory, syscalls.MNT_DETACH)
    os.set_inheritable(channel.detach(), True)  # the holder stays until its last copy is closed


def _find(name: str) -> str:
    if "/" in name:
        if not os.path.exists(name):
            raise CommandNotFound(name)
        if os.path.isdir(name):
            raise CommandNotExecutable(name, "it is a directory")
        return name
    path = processes.find_program(name)
    if path is None:
        raise CommandNotFound(name)
    return path


def _variables(engine: Engine) -> dict[str, str]:
    """Those that podman sets, by which programs know where they are, and those that pods inside need."""
    return {
        "_CONTAINERS_USERNS_CONFIGURED": "done",
        "_CONTAINERS_ROOTLESS_UID": str(os.geteuid()),
        "_CONTAINERS_ROOTLESS_GID": str(os.getegid()),
        "CONTAINERS_GRAPHROOT": engine.paths.root,
        "CONTAINERS_RUNROOT": engine.paths.runroot,
        paths.UNSHARED_ROOT: engine.paths.root,
        paths.UNSHARED_RUNROOT: engine.paths.runroot,
    }
