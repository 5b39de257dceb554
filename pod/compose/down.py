"""`down`: the containers of a project go, then its networks and secrets; volumes and images where that is asked for."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record
from pod.compose import identity, members, plan, resources, schedule
from pod.compose.making import remove_members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.compose.members import Member
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.engine.context import Engine


class DownOptions(Record):
    """What goes. `services` alone leave the networks and volumes.

    `images` is "", "all", or "local": those without a name of their own in the file.
    """

    services: tuple[str, ...] = ()
    remove_orphans: bool = False
    with_volumes: bool = False
    images: str = ""
    timeout_seconds: int | None = None


def down(
    engine: Engine, name: str, project: Project | None, options: DownOptions, tell: Tell
) -> list[PodError]:
    """Take a project down; what could not be removed, as errors. Without `project`, all that has its label."""
    found = concerned(engine, name, project, options)
    errors = stop_in_order(engine, project, found, tell, options.timeout_seconds)
    errors += remove_members(
        engine, found, tell, options.timeout_seconds, with_volumes=options.with_volumes
    )
    if not options.services:
        errors += resources.remove(engine, name, tell, with_volumes=options.with_volumes)
    if options.images and project is not None:
        errors += _remove_images(engine, project, options.images, tell)
    return errors


def concerned(
    engine: Engine, name: str, project: Project | None, options: DownOptions
) -> list[Member]:
    """The containers that go; others that stay are named in a warning."""
    found = members.of_project(engine, name, one_off=not options.services)
    if options.services:
        return [member for member in found if member.service in options.services]
    if project is None or options.remove_orphans:
        return found
    known = {*project.services, *project.inactive}
    if orphans := [member.name for member in found if member.service not in known]:
        from pod.base import log

        log.warning(
            "containers of services that the files do not have any more stay: "
            f"{', '.join(orphans)}; --remove-orphans removes them"
        )
    return [member for member in found if member.service in known]


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
    from pod.engine import image_remove

    errors: list[PodError] = []
    for reference in images_of(engine, project, which):
        try:
            image_remove.remove(engine, reference, force=False)
        except PodError as error:
            errors.append(error)
        else:
            tell("Image", reference, "Removed")
    return errors


def images_of(engine: Engine, project: Project, which: str) -> list[str]:
    """The images that are here and go with a project, as DownOptions.images says."""
    from pod.engine import images

    found = [
        identity.image_name(project, name)
        for name in plan.in_order(project, project.services)
        if which != "local" or not project.service(name).get("image")
    ]
    return [it for it in dict.fromkeys(found) if images.find_if_here(engine, it) is not None]
