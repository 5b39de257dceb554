"""Change limits, restart policy and environment of a container that exists, running or not: `pod update`.

All or nothing: a running container's cgroup gets the values first, and when the kernel refuses one of them, the files
have what they had before and nothing is stored. The monitor of a running container gets the order that the next start
would have, for when its restart policy starts the container again.
"""

from __future__ import annotations

import os

from pod.base import faults, locks
from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from pod.engine import facts, finish
from pod.linux import cgroups
from pod.spec.cgroup_values import EMPTY, cgroup_files, values_of_none
from pod.spec.resource_options import changed_resources
from pod.state import containers, events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.spec.health import HealthChanges
    from pod.state.containers import Container
    from pod.state.reconcile import Run

_NOTE_SECONDS = 10.0


class Changes(Record):
    """What is to be changed. `resources` are arguments of parse_resources, `fields` fields of ContainerConfig."""

    resources: Mapping[str, Any] = {}
    fields: Mapping[str, Any] = {}
    environment: Mapping[str, str] = {}
    unset: tuple[str, ...] = ()
    health: HealthChanges | None = None


class LimitRefused(PodError):
    """The kernel does not take a limit; the container has the limits that it had."""

    def __init__(self, container: Container, refused: dict[str, str]) -> None:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        super().__init__(f"limits of container '{container.name}' are as before: {reasons}")


def update(engine: Engine, container: Container, changes: Changes) -> None:
    """Make the changes. Raises LimitRefused, UsageError for what cannot hold together. Takes the container's lock."""
    lock = locks.FileLock(engine.paths.container_lock(container.id))
    with lock:
        container = finish.current(engine, container, lock)
        changed = container.replace(config=_changed(container.config, changes))
        run = finish.read_run(engine, container) if container.status == "active" else None
        before: dict[str, str] = {}
        cgroup = _cgroup_of(run)
        if changes.resources and run is not None and run.has_processes:
            try:
                before = _apply(engine, container, changed, cgroup)
            except LimitRefused:
                if finish.read_run(engine, container).has_processes:
                    raise
                # It has ended meanwhile, and its cgroup with it.
        faults.step("update: applied")
        try:
            containers.set_config(engine.database, container.id, changed.config)
        except BaseException:
            cgroups.set_values(cgroup, before)
            raise
        faults.step("update: stored")
        if run is not None and run.is_alive:
            _tell_monitor(engine, changed)
        engine.events.append(events.of_container(changed, "update"))


def _changed(config: ContainerConfig, changes: Changes) -> ContainerConfig:
    environment = dict(entry.partition("=")[::2] for entry in config.environment)
    for name in changes.unset:
        environment.pop(name, None)
    environment |= changes.environment
    fields = dict(changes.fields)
    if changes.resources:
        if config.cgroups == "disabled":
            raise UsageError(
                "the container was made with --cgroups=disabled, so it has no limits of a cgroup"
            )
        fields["resources"] = changed_resources(config.resources, changes.resources)
    if changes.health is not None:
        from pod.spec.health import complete

        health = fields["health"] = complete(changes.health.on(config.health), None)
        is_said = changes.health.disables or "test" in changes.health.fields
        if not is_said and (health is None or not health.is_active):
            raise UsageError("the container has no health check to change: give --health-cmd")
    changed = config.replace(
        environment=tuple(f"{name}={value}" for name, value in environment.items()), **fields
    )
    if changed.auto_remove and changed.restart.name not in {"no", "on-failure"}:
        raise UsageError(
            f"--restart={changed.restart} and --rm, with which the container was made, exclude each other"
        )
    return changed


def _cgroup_of(run: Run | None) -> str:
    return (run.state.get("cgroup") or "") if run is not None else ""


def _apply(engine: Engine, old: Container, new: Container, cgroup: str) -> dict[str, str]:
    """Write what differs to the cgroup of a running container; what was there before, by file."""
    if not cgroup:
        raise PodError(
            f"limits of container '{old.name}' cannot be changed while it runs: it has no cgroup",
            hint=f"pod stop {old.name}; a cgroup must be delegated to you when it is started again",
        )
    had, wanted = files_of(engine, old.config), files_of(engine, new.config)
    values = {name: value for name, value in wanted.items() if had.get(name) != value}
    for name, value in values_of_none(had).items():
        if name not in wanted:
            values[name] = value
        elif name in values and name.startswith("io."):
            values[name] = (
                f"{value}\n{values[name]}"  # devices that were limited and are not any more
            )
    before: dict[str, str] = {}
    missing = {}
    for name in values:
        present = _present(cgroup, name)
        if present is None:
            missing[name] = cgroups.why_missing(cgroup, name)
            continue
        before[name] = present or EMPTY
        if name.startswith("io."):
            before[name] = f"{values_of_none(values)[name]}\n{present}"
    if missing:
        raise LimitRefused(old, missing)
    refused = cgroups.set_values(cgroup, values)
    if refused:
        cgroups.set_values(cgroup, before)
        raise LimitRefused(old, refused)
    return before


def files_of(engine: Engine, config: ContainerConfig) -> dict[str, str]:
    """The files of the container's cgroup, and their values, that its limits mean."""
    limits = facts.limits_of(engine, config)
    return cgroup_files(limits, facts.device_numbers(limits))


def _present(cgroup: str, name: str) -> str | None:
    """The value of a file in the form in which it can be written; None when there is no such file."""
    try:
        with open(os.path.join(cgroup, name), encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except OSError:
        return None


def _tell_monitor(engine: Engine, container: Container) -> None:
    """Give the monitor the order of the next start, and wait until it has it."""
    from pod.engine import launch
    from pod.engine.client import Client

    network = launch.network_settings(engine, container, again=True)
    order = launch.make_order(engine, container, network, attach=False, window=(0, 0), starts=False)
    client = Client(engine, container)
    try:
        client.change_order(order, _NOTE_SECONDS)
    finally:
        client.close()
