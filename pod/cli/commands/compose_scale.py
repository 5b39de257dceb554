"""`pod compose scale`: have so many containers of services."""

from __future__ import annotations

from pod.cli.commands.compose_up import read_scale, show_plan
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def scale(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import images, up
    from pod.compose.lock import ProjectLock
    from pod.compose.plan import Wishes
    from pod.compose.project import with_named
    from pod.engine.presets import container_preset

    project = compose.load(arguments, engine)
    wanted = read_scale(list(arguments.words), project)
    project = with_named(project, wanted)
    options = up.UpOptions(
        services=tuple(wanted),
        no_deps=arguments.flag("no_deps"),
        wishes=Wishes(no_recreate=True, scale=wanted),
        at_once=compose.at_once(arguments),
    )
    services, _ = up.chosen(project, options)
    base = container_preset(engine.settings)
    if compose.is_dry_run(arguments):
        return show_plan(engine, project, options, base, compose.image_options(arguments))
    tell = compose.teller(arguments)
    with ProjectLock(engine, project.name) as lock:
        ids = images.provide(engine, project, services, compose.image_options(arguments))
        return compose.report_all(
            up.up(engine, project, options.replace(keep_fds=(lock.fd,)), ids, base, tell)
        )


COMMAND = Command(
    scale,
    "[OPTIONS] SERVICE=N [SERVICE=N...]",
    description="Starts more containers of services, or removes those that are too many.",
    options=(
        Option(("--no-deps",), "flag", "Leave services alone that these depend on"),
        compose.DRY_RUN,
    ),
    minimum=1,
    maximum=None,
    examples=("pod compose scale web=3 worker=2",),
)
