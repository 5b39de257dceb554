"""`down`: the containers of a project go, then its networks and secrets; volumes and images where that is asked for."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.compose import identity, members, plan, resources, schedule
from pod.compose.making import remove_members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.compose.members import Member
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.engine.context import Engine


def down(
    engine: Engine,
    name: str,
    project: Project | None,
    tell: Tell,
    *,
    services: Sequence[str] = (),
    remove_orphans: bool = False,
    with_volumes: bool = False,
    images: str = "",
    timeout_seconds: int | None = None,
) -> list[PodError]:
    """Take a project down; what could not be removed, as errors. Without `project`, all that has its label.

    `services` alone leave the networks and volumes. `images` is "", "all", or "local": those without a name of their
    own in the file.
    """
    found = members.of_project(engine, name, one_off=not services)
    if services:
        found = [member for member in found if member.service in services]
    elif project is not None and not remove_orphans:
        known = {*project.services, *project.inactive}
        orphans = [member for member in found if member.service not in known]
        found = [member for member in found if member.service in known]
        if orphans:
            from pod.base import log

            log.warning(
                "containers of services that the files do not have any more stay: "
                f"{', '.join(member.name for member in orphans)}; --remove-orphans removes them"
            )
    errors = stop_in_order(engine, project, found, tell, timeout_seconds)
    errors += remove_members(engine, found, tell, timeout_seconds, with_volumes=with_volumes)
    if not services:
        errors += resources.remove(engine, name, tell, with_volumes=with_volumes)
    if images and project is not None:
        errors += _remove_images(engine, project, images, tell)
    return errors


def stop_in_order(
    engine: Engine,
    project: Project | None,
    found: Sequence[Member],
    tell: Tell,
    timeout_seconds: int | None = None,
) -> list[PodError]:
    """Stop containers, those of dependent services first, otherwise side by side; what could not be, as errors."""
    from pod.compose.project import dependencies
    from pod.engine import stop
    from pod.state import containers

    running = [member for member in found if member.is_running]

    def task(member: Member) -> Callable[[], None]:
        def run() -> None:
            rows = containers.by_ids(engine.database, [member.id])
            if rows:
                if project is not None and member.service in project.services:
                    _before_stop(engine, project, member)
                if stop.stop(engine, rows[0], timeout_seconds):
                    tell("Container", member.name, "Stopped")

        return run

    needs: dict[str, list[str]] = {}
    if project is not None:
        for member in running:
            for other in running:
                service = project.services.get(other.service)
                if service is not None and member.service in dependencies(service):
                    needs.setdefault(member.id, []).append(other.id)
    tasks = {member.id: task(member) for member in running}
    results = schedule.run(engine, tasks, needs, "stop a container")
    for result in results.values():
        if isinstance(result, Exception) and not isinstance(result, (PodError, schedule.Skipped)):
            raise result
    return [result for result in results.values() if isinstance(result, PodError)]


def _before_stop(engine: Engine, project: Project, member: Member) -> None:
    if project.service(member.service).get("pre_stop"):
        from pod.compose import hooks

        hooks.run(engine, project, member.service, member.name, "pre_stop")


def _remove_images(engine: Engine, project: Project, which: str, tell: Tell) -> list[PodError]:
    from pod.engine import images

    errors: list[PodError] = []
    for name in plan.in_order(project, project.services):
        if which == "local" and project.service(name).get("image"):
            continue
        reference = identity.image_name(project, name)
        found = images.find_if_here(engine, reference)
        if found is None:
            continue
        try:
            from pod.engine import image_remove

            image_remove.remove(engine, reference, force=False)
        except PodError as error:
            errors.append(error)
        else:
            tell("Image", reference, "Removed")
    return errors
