"""`--dry-run`: what a command would do, found out as when it is done, and nothing of it done.

A line is `WHO: VERB NAME`, and why or how where there is something to say. WHO is a service, or the kind of what
belongs to none: network, volume, secret, image, file. What a command would refuse is refused here, too.
"""

from __future__ import annotations

from pod.compose import down, identity, images, life, one_off, plan, resources, up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pod.compose.images import ImageOptions
    from pod.compose.members import Member
    from pod.compose.one_off import Changes
    from pod.compose.project import Project
    from pod.compose.up import UpOptions
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig


def line(who: str, verb: str, name: str, why: str = "") -> str:
    return f"{who}: {verb} {name}{f': {why}' if why else ''}"


def of_images(
    engine: Engine, project: Project, services: Iterable[str], options: ImageOptions
) -> list[str]:
    """The images that would be built or pulled before the containers of these services are made."""
    found: dict[str, str] = {}
    for name in services:
        reference = identity.image_name(project, name)
        way, here = images.way_of(engine, project, name, options)
        why = "it is not here" if here is None else "it is here, and may be another"
        if way == images.BUILD:
            found.setdefault(reference, line(name, "build", reference, why))
        elif way in {"always", "newer"} or (here is None and way == "missing"):
            found.setdefault(reference, line(name, "pull", reference, why))
        elif here is None:
            images.provide(engine, project, [name], options)  # it says why it cannot
    return list(found.values())


def of_up(engine: Engine, project: Project, options: UpOptions, base: ContainerConfig) -> list[str]:
    """The networks and volumes that `up` would make, and what would become of each container. Raises what it raises."""
    services, _ = up.chosen(project, options)
    made = up.make_plan(engine, project, options, images.present(engine, project, services))
    up.check(engine, project, made, base)
    found = [
        line(kind, "create", name) for kind, name in resources.lacking(engine, project, made.steps)
    ]
    for name, steps in made.steps.items():
        for step in steps:
            found.append(line(name, step.action, step.name(project), step.reason))
            found += [
                line(name, "remove", it.name, "another has its number") for it in step.leftovers
            ]
    what = "remove" if options.remove_orphans else "keep"
    found += [
        line(member.service, what, member.name, "the files have no such service")
        for member in made.orphans
    ]
    return found


def of_one_off(
    engine: Engine,
    project: Project,
    service: str,
    before: UpOptions | None,
    changes: Changes,
    options: ImageOptions,
    base: ContainerConfig,
) -> list[str]:
    """What `run` would do: `before` as for `up`, and one container more."""
    found = []
    if before is not None:
        services, _ = up.chosen(project, before)
        found += of_images(engine, project, services, options.replace(build=None))
        found += of_up(engine, project, before, base)
    resources.check_secrets(engine, project, [service])
    one_off.config_with(project, service, changes, base)
    found += of_images(engine, project, [service], options)
    found += [
        line(kind, "create", name) for kind, name in resources.lacking(engine, project, [service])
    ]
    words = changes.command or tuple(map(str, project.service(service).get("command") or ()))
    name = changes.name or f"{project.name}-{service}-run-*"
    found.append(line(service, "run", name, " ".join(words)))
    return list(dict.fromkeys(found))


def of_life(verb: str, found: Iterable[Member], how: str = "") -> list[str]:
    """What `start`, `kill`, `pause` or `unpause` would do with each container."""
    return [
        line(member.service, verb, member.name, how)
        if life.CONCERNS[verb](member)
        else line(member.service, "keep", member.name, f"it is {member.state}")
        for member in found
    ]


def of_stop(project: Project | None, found: Sequence[Member], verb: str = "stop") -> list[str]:
    """What `stop`, or `restart`, would do with each container, those of dependent services first."""
    lines = []
    for member in _dependent_first(project, found):
        if verb == "stop" and not member.is_running:
            lines.append(line(member.service, "keep", member.name, f"it is {member.state}"))
        else:
            lines.append(line(member.service, verb, member.name, _hooks(project, member)))
    return lines


def of_remove(project: Project | None, found: Sequence[Member]) -> list[str]:
    """What the removal of containers comes to."""
    return [
        line(
            member.service, "remove", member.name,
            f"it is {member.state}, and is stopped before" if member.is_running else "",
        )
        for member in _dependent_first(project, found)
    ]  # fmt: skip


def of_down(
    engine: Engine, name: str, project: Project | None, options: down.DownOptions
) -> list[str]:
    found = of_remove(project, down.concerned(engine, name, project, options))
    if not options.services:
        own = resources.of_project(engine, name, with_volumes=options.with_volumes)
        for kind, things in (
            ("volume", own.volumes), ("network", own.networks), ("secret", own.secrets),
        ):  # fmt: skip
            found += [line(kind, "remove", it.name) for it in things]
    if options.images and project is not None:
        names = down.images_of(engine, project, options.images)
        found += [line("image", "remove", name) for name in names]
    return found


def _hooks(project: Project | None, member: Member) -> str:
    service = None if project is None else project.services.get(member.service)
    has_hooks = service is not None and service.get("pre_stop") and member.is_running
    return "what pre_stop says is run before" if has_hooks else ""


def _dependent_first(project: Project | None, found: Sequence[Member]) -> list[Member]:
    """In the order in which `stop` has them."""
    if project is None:
        return list(found)
    order = {name: -place for place, name in enumerate(plan.in_order(project, project.services))}
    return sorted(found, key=lambda it: order.get(it.service, 0))
