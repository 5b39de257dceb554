"""`run`: one container more of a service, with another command, beside those of `up`."""

from __future__ import annotations

from pod.base import ids
from pod.base.errors import PodError
from pod.base.records import Record
from pod.compose import identity, images, ready, resources, up
from pod.compose.lock import ProjectLock
from pod.compose.project import dependencies
from pod.compose.service import config_of
from pod.spec.mounts import Mount
from pod.spec.ports import PortMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from pod.compose.images import ImageOptions
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig


class Changes(Record):
    """What is other than in the containers of the service."""

    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    name: str = ""
    user: str | None = None
    working_directory: str = ""
    mounts: tuple[Mount, ...] = ()
    ports: tuple[PortMapping, ...] = ()
    service_ports: bool = False
    use_aliases: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    remove: bool = False
    detach: bool = False
    interactive: bool = True
    terminal: bool = False

    nested: ClassVar = {"mounts": Mount, "ports": PortMapping}


def start_dependencies(
    engine: Engine,
    project: Project,
    service: str,
    options: ImageOptions,
    base: ContainerConfig,
    tell: Tell,
) -> list[PodError]:
    """Have what a service depends on run, and as it waits for; what could not be, as errors."""
    wanted = wanted_before(project, service)
    if wanted is None:
        return []
    services, _ = up.chosen(project, wanted)
    with ProjectLock(engine, project.name) as lock:
        found = images.provide(engine, project, services, options.replace(build=None))
        errors = up.up(engine, project, wanted.replace(keep_fds=(lock.fd,)), found, base, tell)
    if not errors:
        ready.await_dependencies(engine, project, service)
    return errors


def wanted_before(project: Project, service: str) -> up.UpOptions | None:
    """What is brought up before a container of a service, None for nothing."""
    needed = tuple(
        name for name in dependencies(project.service(service)) if name in project.services
    )
    return up.UpOptions(services=needed) if needed else None


def run(
    engine: Engine,
    project: Project,
    service: str,
    changes: Changes,
    options: ImageOptions,
    base: ContainerConfig,
    tell: Tell,
) -> int:
    """Run the container; its exit status, or 0 when it is left in the background."""
    from pod.compose import mounts
    from pod.engine import run as running
    from pod.engine.images import PullOptions

    resources.check_secrets(engine, project, [service])
    images.provide(engine, project, [service], options)
    config = config_with(project, service, changes, base)
    mounts.make_sources(project, service)
    resources.make(engine, project, [service], tell)
    name = changes.name or identity.joined(project, service, "run", ids.new_id()[:12])
    pull = PullOptions(policy="never", quiet=True, platform=config.platform)
    how = running.RunOptions(name=name, detach=changes.detach)
    return running.run(engine, config, how, pull, lambda _: print(name))


def config_with(
    project: Project, service: str, changes: Changes, base: ContainerConfig
) -> ContainerConfig:
    """The configuration of the container. Raises FileError."""
    config = config_of(
        project, service, 1, base,
        names=lambda other: identity.container_name(project, other, 1),
        config_hash=identity.hash_of(project, service, resources.contents(project, service)),
        one_off=True,
    )  # fmt: skip
    networking = config.networking
    ports = tuple(port.replace(group="") for port in networking.ports)  # shared with no service
    networking = networking.replace(ports=ports if changes.service_ports else changes.ports)
    if not changes.use_aliases:
        first, *more = (
            network.replace(options=_without_names(network.options))
            for network in (networking.network, *networking.more_networks)
        )
        networking = networking.replace(network=first, more_networks=tuple(more))
    taken = {mount.target for mount in changes.mounts}
    kept = tuple(mount for mount in config.mounts if mount.target not in taken)
    replaced = config.replace(
        environment=(*config.environment, *changes.environment),
        labels={**config.labels, **changes.labels},
        mounts=(*kept, *changes.mounts),
        networking=networking,
        working_directory=changes.working_directory or config.working_directory,
        add_capabilities=(*config.add_capabilities, *changes.add_capabilities),
        drop_capabilities=(*config.drop_capabilities, *changes.drop_capabilities),
        interactive=changes.interactive,
        terminal=changes.terminal,
        auto_remove=changes.remove,
        restart=base.restart,
    )
    if changes.user is not None:
        replaced = replaced.replace(user=changes.user)
    if changes.entrypoint is not None:
        replaced = replaced.replace(entrypoint=changes.entrypoint, command=())
    if changes.command is not None:
        replaced = replaced.replace(command=changes.command)
    return replaced


def _without_names(options: tuple[str, ...]) -> tuple[str, ...]:
    """Options of a network without what only one container can have, or all of a service share."""
    keys = ("alias=", "ip=", "ip6=", "mac=")
    return tuple(option for option in options if not option.startswith(keys))
