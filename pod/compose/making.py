"""The containers of a project one by one: made, started, put in the place of others, removed.

What is made of which, and in what order, is said by plan.py, up.py and rolling.py.
"""

from __future__ import annotations

from pod.base import faults
from pod.base.errors import PodError
from pod.compose import identity, schedule
from pod.compose.service import config_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.compose.members import Member
    from pod.compose.plan import Step
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.spec.mounts import Mount
    from pod.state.containers import Container


def config_for(project: Project, step: Step, base: ContainerConfig) -> ContainerConfig:
    config = config_of(
        project,
        step.service,
        step.number,
        base,
        names=lambda other: identity.container_name(project, other, 1),
        config_hash=step.hash,
    )
    return config.replace(create_command=())


def create(engine: Engine, config: ContainerConfig, name: str) -> Container:
    from pod.engine import images, run

    image = images.find(engine, config.image)
    labels = {**config.labels, identity.IMAGE: f"sha256:{image.id.removeprefix('sha256:')}"}
    pull = images.PullOptions(policy="never", quiet=True, platform=config.platform)
    return run.create_only(engine, config.replace(labels=labels), pull, name=name)


def put_in_place(
    engine: Engine,
    project: Project,
    step: Step,
    old: Container,
    base: ContainerConfig,
    *,
    renews_volumes: bool,
    frees_addresses: bool = True,
) -> Container:
    """A new container in the place of the one of the step, whose row is `old`; not started.

    The old one gives up its name, and its addresses unless it goes on running; the new one shares its anonymous
    volumes. Who removes the old one looks which of them the new one has.
    """
    from pod.engine import rename

    assert step.existing is not None
    name = identity.container_name(project, step.service, step.number)
    if old.name == name:
        rename.rename(engine, old, f"{old.id[:12]}_{name}")
    if frees_addresses:
        _free_addresses(engine, old)
    faults.step("compose: old one renamed")
    config = config_for(project, step, base)
    if not renews_volumes:
        config = _with_volumes_of(config, step.existing)
    container = create(engine, config, name)
    faults.step("compose: new one made")
    return container


def _free_addresses(engine: Engine, old: Container) -> None:
    """A container that has stopped leaves the addresses that the file gives it to the one in its place."""
    from pod.state import networks

    for network in old.config.networking.user_defined:
        if any(option.startswith(("ip=", "ip6=")) for option in network.options):
            networks.give_back(engine.database, old.id, network.joined)


def _with_volumes_of(config: ContainerConfig, existing: Member) -> ContainerConfig:
    """The configuration with the anonymous volumes of another container in the place of new ones."""
    from pod.spec.mounts import Mount

    left = existing.anonymous_volumes
    found: list[Mount] = []
    taken: list[str] = []
    for mount in config.mounts:
        if mount.kind == "volume" and not mount.source and mount.target in left:
            taken.append(left.pop(mount.target))
            found.append(mount.replace(source=taken[-1]))
        else:
            left.pop(mount.target, None)
            found.append(mount)
    for target, name in left.items():  # those of the image
        taken.append(name)
        found.append(Mount("volume", target, name, origin=target))
    return config.replace(mounts=tuple(found), anonymous_volumes=tuple(taken))


def start(engine: Engine, project: Project | None, service: str, container: Container) -> None:
    """Start a container, and run what `post_start` says."""
    from pod.engine import start as starting

    channel = starting.start(engine, container, as_service=False)
    if channel is None:
        return
    channel.close()
    if project is not None and project.service(service).get("post_start"):
        from pod.compose import hooks

        hooks.run(engine, project, service, container.name, "post_start")


def row_of(engine: Engine, member: Member) -> Container:
    from pod.state import containers

    rows = containers.by_ids(engine.database, [member.id])
    if not rows:
        raise containers.NoSuchContainer(member.name)
    return rows[0]


def remove_members(
    engine: Engine,
    found: Sequence[Member],
    tell: Tell,
    timeout_seconds: int | None = None,
    *,
    with_volumes: bool = False,
) -> list[PodError]:
    """Stop and remove containers side by side, those that need others before those; what could not be, as errors.

    Their anonymous volumes stay, as with docker compose, unless they are to go, too.
    """
    from pod.engine import remove
    from pod.state import containers

    def task(member: Member) -> Callable[[], None]:
        def run() -> None:
            rows = containers.by_ids(engine.database, [member.id])
            if rows:
                remove.remove(
                    engine, rows[0], force=True, with_volumes=with_volumes, timeout_seconds=timeout_seconds
                )  # fmt: skip
                tell("Container", member.name, "Removed")

        return run

    needs: dict[str, list[str]] = {member.id: [] for member in found}
    for member in found:
        for other in member.listed.config.get("needs", ()):
            needs.setdefault(other, []).append(member.id)
    results = schedule.run(
        engine, {member.id: task(member) for member in found}, needs, "remove a container"
    )
    for result in results.values():
        if isinstance(result, Exception) and not isinstance(result, (PodError, schedule.Skipped)):
            raise result
    return [result for result in results.values() if isinstance(result, PodError)]
