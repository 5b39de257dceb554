"""`up`, `create`, `start`: bring the containers of a project to what its files say, services side by side.

Each service is one task, which begins when those that it depends on are done: it waits for its conditions, replaces
what has changed, starts what does not run. Nothing is undone when something fails: `up` again goes on from what is
there, also after a kill at any moment, since what there is is read from the containers alone.
"""

from __future__ import annotations

import time

from pod.base import faults
from pod.base.errors import PodError
from pod.base.records import Record
from pod.compose import identity, members, mounts, places, plan, resources, schedule
from pod.compose.errors import ComposeError
from pod.compose.plan import CREATE, KEEP, RECREATE, REMOVE, RESTART, Plan, Step, Wishes
from pod.compose.project import dependencies
from pod.compose.service import config_of
from pod.compose.snapshot import check_restored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pod.compose.members import Member
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.spec.mounts import Mount
    from pod.state.containers import Container

_POLL_SECONDS = 0.1


class DependencyFailed(ComposeError):
    """What a service waits for has not come about."""

    exit_status = 1


class NotReady(ComposeError):
    """`--wait`: a service did not become what was waited for."""

    exit_status = 1


class UpOptions(Record):
    """How `up` goes about it. `services` are those that were named; none for all."""

    services: tuple[str, ...] = ()
    no_deps: bool = False
    no_start: bool = False
    wishes: Wishes = Wishes()
    remove_orphans: bool = False
    renew_volumes: bool = False
    timeout_seconds: int | None = None
    at_once: int = 0
    keep_fds: tuple[int, ...] = ()  # that children keep: the lock of the project


def chosen(project: Project, options: UpOptions) -> tuple[list[str], list[str]]:
    """The services to deal with in order, and those among them that were asked for."""
    asked = list(options.services) or list(project.services)
    for name in asked:
        project.service(name)
    services = [
        name for name in plan.in_order(project, asked) if not options.no_deps or name in asked
    ]
    return services, asked


def make_plan(engine: Engine, project: Project, options: UpOptions, images: dict[str, str]) -> Plan:
    """What `up` would do now. `images` as in `plan.make`."""
    services, asked = chosen(project, options)
    found = members.of_project(engine, project.name)
    return plan.make(project, found, services, asked, images, options.wishes)


def up(
    engine: Engine,
    project: Project,
    options: UpOptions,
    images: dict[str, str],
    base: ContainerConfig,
    tell: Tell,
) -> list[PodError]:
    """Do it; what could not be done, as errors. Images are here already, `images` says their ids by name.

    Raises FileError and ComposeError before anything is changed.
    """
    check_restored(engine, project.name)
    made = make_plan(engine, project, options, images)
    _check(engine, project, made, base)
    resources.make(engine, project, made.steps, tell)
    faults.step("compose: resources made")
    errors: list[PodError] = []
    if options.remove_orphans and made.orphans:
        errors += remove_members(engine, made.orphans, tell, options.timeout_seconds)
    elif made.orphans and not places.says(project.variables, "COMPOSE_IGNORE_ORPHANS"):
        from pod.base import log

        names = ", ".join(member.name for member in made.orphans)
        log.warning(
            f"containers of services that the files do not have any more: {names}; --remove-orphans removes them"
        )
    _remove_sharing(engine, project, made, tell, options.timeout_seconds)
    tasks = {
        name: _task(engine, project, name, steps, options, base, tell)
        for name, steps in made.steps.items()
        if any(step.action != KEEP or step.leftovers for step in steps)
    }
    needs: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for name in made.steps:
        for other, how in dependencies(project.services[name]).items():
            (needs if how.get("required", True) in {True, "true"} else after).setdefault(
                name, []
            ).append(other)
    results = schedule.run(
        engine,
        tasks,
        needs,
        "start a service",
        after=after,
        most=options.at_once,
        keep=options.keep_fds,
    )
    for name, result in results.items():
        if isinstance(result, schedule.Skipped):
            continue
        if isinstance(result, PodError):
            errors.append(_about(name, result))
        elif isinstance(result, Exception):
            raise result
    return errors


def _about(name: str, error: PodError) -> PodError:
    told = ComposeError(f"service '{name}': {error.message}", hint=error.hint)
    told.exit_status = error.exit_status
    return told


def _check(engine: Engine, project: Project, made: Plan, base: ContainerConfig) -> None:
    """Raise FileError for what cannot be made of any service, before the first change."""
    names = [name for name, steps in made.steps.items() if any(s.action != KEEP for s in steps)]
    resources.check_secrets(engine, project, names)
    for name in names:
        for step in made.steps[name]:
            if step.action in {CREATE, RECREATE}:
                config_for(project, step, base)
        _check_deploy(project, name, made.steps[name])
    for name in names:
        mounts.make_sources(project, name)


def _check_deploy(project: Project, name: str, steps: Sequence[Step]) -> None:
    deploy = project.services[name].get("deploy") or {}
    if deploy.get("placement"):
        from pod.compose import placement

        placement.check(project, name, sum(step.action != REMOVE for step in steps))
    if deploy.keys() & {"update_config", "rollback_config"}:
        from pod.compose import rolling

        rolling.way_of(project, name)
        rolling.way_of(project, name, "rollback_config")


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


def _remove_sharing(
    engine: Engine, project: Project, made: Plan, tell: Tell, timeout: int | None
) -> None:
    """Remove what shares a container that is recreated, the last first: it would keep that one from being removed."""
    for name in reversed(made.steps):
        for step in made.steps[name]:
            if step.action != RECREATE or step.existing is None:
                continue
            if step.existing.listed.config.get("needs"):
                volumes = step.existing.anonymous_volumes
                if volumes:
                    continue  # its volumes go over to the new one, which is made first
                for error in remove_members(engine, [step.existing], tell, timeout):
                    raise error
                step.action, step.existing = CREATE, None


def _task(
    engine: Engine,
    project: Project,
    name: str,
    steps: Sequence[Step],
    options: UpOptions,
    base: ContainerConfig,
    tell: Tell,
) -> Callable[[], None]:
    def run() -> None:
        starts = any(step.action not in {KEEP, REMOVE} for step in steps)
        if starts and not options.no_start and not options.no_deps:
            await_dependencies(engine, project, name)
        replaced = _roll(engine, project, steps, options, base, tell)
        for step in steps:
            if step not in replaced:
                _do(engine, project, step, options, base, tell)

    return run


def _roll(
    engine: Engine,
    project: Project,
    steps: Sequence[Step],
    options: UpOptions,
    base: ContainerConfig,
    tell: Tell,
) -> Sequence[Step]:
    """Replace running containers as `deploy.update_config` says; those steps, none where it says nothing."""
    wanted = [
        step for step in steps
        if step.action == RECREATE and step.existing is not None and step.existing.is_running
    ]  # fmt: skip
    if not wanted or options.no_start or not _is_rolling(project, wanted[0].service):
        return ()
    from pod.compose import rolling  # few services have it

    way = rolling.way_of(project, wanted[0].service)
    assert way is not None
    rolling.Update(engine, project, wanted, options, base, tell).run(way)
    return wanted


def _is_rolling(project: Project, name: str) -> bool:
    return bool((project.services[name].get("deploy") or {}).get("update_config"))


def _do(
    engine: Engine,
    project: Project,
    step: Step,
    options: UpOptions,
    base: ContainerConfig,
    tell: Tell,
) -> None:
    existing = step.existing
    if step.leftovers:
        for error in remove_members(engine, step.leftovers, tell, options.timeout_seconds):
            raise error
    if step.action == KEEP:
        return
    if step.action == REMOVE and existing is not None:
        for error in remove_members(engine, [existing], tell, options.timeout_seconds):
            raise error
        return
    name = step.name(project)
    if step.action == RECREATE and existing is not None:
        container = _recreate(engine, project, step, existing, options, base, tell)
    elif step.action == CREATE:
        container = create(engine, config_for(project, step, base), name)
        faults.step("compose: container made")
        tell("Container", name, "Created")
    else:
        assert existing is not None
        container = row_of(engine, existing)
    if options.no_start:
        return
    if step.action == RESTART:
        from pod.engine import restart

        restart.restart(engine, container, options.timeout_seconds)
        tell("Container", name, "Restarted")
        return
    start(engine, project, step.service, container)
    tell("Container", name, "Started")


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


def create(engine: Engine, config: ContainerConfig, name: str) -> Container:
    from pod.engine import images, run

    image = images.find(engine, config.image)
    labels = {**config.labels, identity.IMAGE: f"sha256:{image.id.removeprefix('sha256:')}"}
    pull = images.PullOptions(policy="never", quiet=True, platform=config.platform)
    return run.create_only(engine, config.replace(labels=labels), pull, name=name)


def _recreate(
    engine: Engine,
    project: Project,
    step: Step,
    existing: Member,
    options: UpOptions,
    base: ContainerConfig,
    tell: Tell,
) -> Container:
    """The old one is stopped and gives up its name; the new one takes over its anonymous volumes; the old one goes."""
    from pod.engine import remove, rename, stop

    old = row_of(engine, existing)
    stop.stop(engine, old, options.timeout_seconds)
    name = identity.container_name(project, step.service, step.number)
    if old.name == name:
        rename.rename(engine, old, f"{old.id[:12]}_{name}")
    free_addresses(engine, old)
    faults.step("compose: old one renamed")
    config = config_for(project, step, base)
    if not options.renew_volumes:
        config = with_volumes_of(config, existing)
    container = create(engine, config, name)
    faults.step("compose: new one made")
    kept = set(container.config.anonymous_volumes)
    remove.remove(
        engine,
        row_of(engine, existing),
        force=True,
        with_volumes=not kept & set(existing.anonymous_volumes.values()),
    )
    tell("Container", name, "Recreated")
    return container


def free_addresses(engine: Engine, old: Container) -> None:
    """A container that has stopped leaves the addresses that the file gives it to the one in its place."""
    from pod.state import networks

    for network in old.config.networking.user_defined:
        if any(option.startswith(("ip=", "ip6=")) for option in network.options):
            networks.give_back(engine.database, old.id, network.joined)


def with_volumes_of(config: ContainerConfig, existing: Member) -> ContainerConfig:
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


def await_dependencies(engine: Engine, project: Project, name: str) -> None:
    """Wait until what a service depends on is as it says. Raises DependencyFailed."""
    for other, how in dependencies(project.services[name]).items():
        if other not in project.services:
            continue
        try:
            for member in members.of_project(engine, project.name):
                if member.service == other:
                    _await(engine, row_of(engine, member), str(how["condition"]))
        except PodError as error:
            if how.get("required", True) in {True, "true"}:
                raise DependencyFailed(
                    f"it depends on service '{other}': {error.message}", hint=error.hint
                ) from error
            from pod.base import log

            log.warning(f"service '{name}' goes on without service '{other}': {error.message}")


def _await(engine: Engine, container: Container, condition: str) -> None:
    from pod.engine import wait

    if condition == "service_healthy":
        wait.wait_for(engine, container, ("healthy", "unhealthy"), _POLL_SECONDS)
        _check_healthy(engine, container)
    elif condition == "service_completed_successfully":
        status = wait.wait(engine, container)
        if status:
            raise PodError(
                f"container '{container.name}' ended with status {status}",
                hint=f"pod logs {container.name}",
            )


def _check_healthy(engine: Engine, container: Container) -> None:
    from pod.engine import healthcheck

    health = healthcheck.health_of(engine, container)
    if health.get("status") == "unhealthy":
        raise PodError(
            f"container '{container.name}' is unhealthy{last_output(health)}",
            hint=f"pod logs {container.name}",
        )


def last_output(health: dict[str, Any]) -> str:
    """What the last check has said, as the end of a sentence."""
    log = health.get("log") or []
    text = " ".join(str(log[-1].get("Output", "")).split()) if log else ""
    return f"; its last check said: {text}" if text else ""


def wait_until_ready(
    engine: Engine, project: Project, services: Sequence[str], timeout_seconds: float | None
) -> None:
    """Wait until every container of these services is healthy, or runs where it has no check. Raises NotReady."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    finishing = {
        other
        for service in project.services.values()
        for other, how in dependencies(service).items()
        if how["condition"] == "service_completed_successfully"
    }
    while True:
        waiting = ""
        for member in members.of_project(engine, project.name):
            if member.service not in services:
                continue
            if said := _lacks(engine, member, may_end=member.service in finishing):
                waiting = said
        if not waiting:
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise NotReady(
                f"after {timeout_seconds:g} s {waiting}", hint="pod compose ps, pod compose logs"
            )
        time.sleep(_POLL_SECONDS)


def _lacks(engine: Engine, member: Member, *, may_end: bool) -> str:
    """What a container is still waited for, "" for nothing. Raises NotReady for what will not become ready.

    One that `may_end` is one whose end others wait for.
    """
    if not member.is_running:
        status = exit_status_of(engine, member)
        if may_end and not status:
            return ""
        raise NotReady(
            f"container '{member.name}' of service '{member.service}' ended with status {status}",
            hint=f"pod logs {member.name}",
        )
    if may_end:
        return f"container '{member.name}' has not ended yet"
    health = member.listed.health
    if member.state != "running":
        return f"container '{member.name}' is {member.state}"
    if health == "unhealthy":
        from pod.engine import healthcheck

        found = healthcheck.health_of(engine, row_of(engine, member))
        raise NotReady(
            f"container '{member.name}' of service '{member.service}' is unhealthy{last_output(found)}",
            hint=f"pod logs {member.name}",
        )
    return (
        f"container '{member.name}' is not healthy yet ({health})" if health == "starting" else ""
    )


def exit_status_of(engine: Engine, member: Member) -> int:
    """How a container has ended, also when that has not been recorded yet."""
    from pod.engine import wait

    return wait.wait(engine, row_of(engine, member))


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
