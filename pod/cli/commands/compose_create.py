"""`pod compose create`: make the containers of a project without starting them."""

from __future__ import annotations

from pod.cli.commands.compose_up import (
    MAKING,
    exclude,
    image_options,
    making_wishes,
    show_plan,
)
from pod.cli.declare import Command
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def create(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import images, up
    from pod.compose.lock import ProjectLock
    from pod.compose.project import with_named
    from pod.engine.presets import container_preset

    exclude(arguments)
    project = with_named(compose.load(arguments, engine), arguments.words)
    options = up.UpOptions(
        services=tuple(arguments.words),
        no_start=True,
        wishes=making_wishes(arguments, project),
        remove_orphans=compose.removes_orphans(arguments),
        at_once=compose.at_once(arguments),
    )
    services, _ = up.chosen(project, options)
    base = container_preset(engine.settings)
    if compose.is_dry_run(arguments):
        return show_plan(engine, project, options, base, image_options(arguments))
    tell = compose.teller(arguments)
    with ProjectLock(engine, project.name) as lock:
        ids = images.provide(engine, project, services, image_options(arguments))
        return compose.report_all(
            up.up(engine, project, options.replace(keep_fds=(lock.fd,)), ids, base, tell)
        )


COMMAND = Command(
    create,
    "[OPTIONS] [SERVICE...]",
    description="Does what `pod compose up` does, up to the start.",
    options=MAKING,
    maximum=None,
    completes=("service",),
    examples=("pod compose create", "pod compose create --build web"),
)
