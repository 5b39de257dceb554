"""`up`, `create`, `start`: bring the containers of a project to what its files say, services side by side.

Each service is one task, which begins when those that it depends on are done: it waits for its conditions, replaces
what has changed, starts what does not run. Nothing is undone when something fails: `up` again goes on from what is
there, also after a kill at any moment, since what there is is read from the containers alone.
"""

from __future__ import annotations

from pod.base import faults
from pod.base.errors import PodError
from pod.base.records import Record
from pod.compose import making, members, mounts, places, plan, ready, resources, schedule
from pod.compose.errors import ComposeError
from pod.compose.plan import CREATE, KEEP, RECREATE, REMOVE, RESTART, Plan, Step, Wishes
from pod.compose.project import dependencies
from pod.compose.snapshot import check_restored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.compose.members import Member
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.state.containers import Container


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
    for name in check(engine, project, made, base):
        mounts.make_sources(project, name)
    resources.make(engine, project, made.steps, tell)
    faults.step("compose: resources made")
    errors: list[PodError] = []
    if options.remove_orphans and made.orphans:
        errors += making.remove_members(engine, made.orphans, tell, options.timeout_seconds)
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


def check(engine: Engine, project: Project, made: Plan, base: ContainerConfig) -> list[str]:
    """Raise FileError for what cannot be made of any service; the services of which something changes."""
    names = [name for name, steps in made.steps.items() if any(s.action != KEEP for s in steps)]
    resources.check_secrets(engine, project, names)
    for name in names:
        for step in made.steps[name]:
            if step.action in {CREATE, RECREATE}:
                making.config_for(project, step, base)
        check_deploy(project, name, sum(step.action != REMOVE for step in made.steps[name]))
    return names


def check_deploy(project: Project, name: str, wanted: int | None = None) -> None:
    """Raise FileError where `deploy` of a service, or of so many containers of it, cannot be."""
    deploy = project.services[name].get("deploy") or {}
    if deploy.get("placement"):
        from pod.compose import placement

        placement.check(project, name, wanted)
    if deploy.keys() & {"update_config", "rollback_config"}:
        from pod.compose import rolling

        rolling.way_of(project, name)
        rolling.way_of(project, name, "rollback_config")


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
                for error in making.remove_members(engine, [step.existing], tell, timeout):
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
            ready.await_dependencies(engine, project, name)
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
        for error in making.remove_members(engine, step.leftovers, tell, options.timeout_seconds):
            raise error
    if step.action == KEEP:
        return
    if step.action == REMOVE and existing is not None:
        for error in making.remove_members(engine, [existing], tell, options.timeout_seconds):
            raise error
        return
    name = step.name(project)
    if step.action == RECREATE and existing is not None:
        container = _recreate(engine, project, step, existing, options, base, tell)
    elif step.action == CREATE:
        container = making.create(engine, making.config_for(project, step, base), name)
        faults.step("compose: container made")
        tell("Container", name, "Created")
    else:
        assert existing is not None
        container = making.row_of(engine, existing)
    if options.no_start:
        return
    if step.action == RESTART:
        from pod.engine import restart

        restart.restart(engine, container, options.timeout_seconds)
        tell("Container", name, "Restarted")
        return
    making.start(engine, project, step.service, container)
    tell("Container", name, "Started")


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
    from pod.engine import remove, stop

    old = making.row_of(engine, existing)
    stop.stop(engine, old, options.timeout_seconds)
    container = making.put_in_place(
        engine, project, step, old, base, renews_volumes=options.renew_volumes
    )
    kept = set(container.config.anonymous_volumes)
    remove.remove(
        engine,
        making.row_of(engine, existing),
        force=True,
        with_volumes=not kept & set(existing.anonymous_volumes.values()),
    )
    tell("Container", container.name, "Recreated")
    return container
