"""Give a container another name. Its id, host name and files stay, and it may run meanwhile."""

from __future__ import annotations

import os

from pod.base import faults
from pod.base.errors import PodError
from pod.engine.create import check_name, settle_named
from pod.state import containers, events

_NOTE_SECONDS = 10.0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container


def rename(engine: Engine, container: Container, name: str) -> None:
    """Name the container `name`, which may be its name already. Raises InvalidValue, NameTaken, NoSuchContainer.

    The database decides who gets a name that several commands want, so that no lock is needed.
    """
    check_name(name)
    _mark(engine, container)
    faults.step("rename: marked")
    try:
        is_there = containers.rename(engine.database, container, name)
    except containers.NameTaken:
        settle_named(engine, name)
        is_there = containers.rename(engine.database, container, name)
    if not is_there:
        raise containers.NoSuchContainer(container.name)
    renamed = container.replace(name=name)
    if container.status == "active":
        _tell_monitor(engine, renamed)
    engine.events.append(events.of_container(renamed, "rename", old_name=container.name))


def _mark(engine: Engine, container: Container) -> None:
    """Say first, and for good, that what a monitor has written down is not the name: it may be starting just now."""
    try:
        os.close(os.open(engine.paths.renamed(container.id), os.O_CREAT | os.O_CLOEXEC, 0o600))
    except FileNotFoundError:
        pass  # it is being removed
    except OSError as error:
        why = error.strerror or str(error)
        raise PodError(f"container '{container.name}' cannot be renamed: {why}") from error


def _tell_monitor(engine: Engine, container: Container) -> None:
    """Have the monitor's events and the networks use the new name; the last one, when several commands give names."""
    from pod.engine.client import Client

    rows, told = [container], ""
    while rows and rows[0].name != told:
        told = rows[0].name
        client = Client(engine, container)
        try:
            client.rename(told, _NOTE_SECONDS)
        finally:
            client.close()
        if container.config.networking.can_join:
            from pod.engine import network_connect

            network_connect.tell_name(engine, rows[0])
        if container.config.pod:
            from pod.engine import pod_names

            pod_names.tell_networks(engine, rows[0])
        rows = containers.by_ids(engine.database, [container.id])
