"""`pod unshare`: a program that is root of the ids that containers have."""

from __future__ import annotations

import os

from pod.base import exits, paths
from pod.base.errors import PodError
from pod.linux import idmap, processes, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pod.engine.context import Engine


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


def execute(engine: Engine, command: list[str]) -> NoReturn:
    """Become the program `command`, or the user's shell, as root of a user namespace with the default map.

    It has a mount namespace of its own, too. Raises CommandNotFound, CommandNotExecutable, IdMapError.
    """
    command = command or [os.environ.get("SHELL") or "/bin/sh"]
    path = _find(command[0])
    environment = {
        **os.environ,
        **_variables(engine),
    }
    uids, gids = idmap.default_maps()
    idmap.enter(uids, gids)
    signals.restore_defaults()
    try:
        os.execve(path, command, environment)
    except OSError as error:
        raise CommandNotExecutable(command[0], (error.strerror or str(error)).lower()) from error


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
